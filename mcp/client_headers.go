package mcp

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

type paramHeadersKey struct{}

// withParamHeaders returns a context with the header fields that the arguments of a tool must be
// repeated in, as far as the tool has been listed.
func (cs *ClientSession) withParamHeaders(ctx context.Context, tool string, args []byte) context.Context {
	cs.mu.Lock()
	known := cs.headers[tool]
	cs.mu.Unlock()
	if len(known) == 0 {
		return ctx
	}
	h := make(http.Header, len(known))
	for i := range known {
		value := valueAt(args, known[i].path)
		if value == nil {
			continue
		}
		text, ok := jsonrpc.StringValue(value)
		if !ok {
			text = string(value)
		}
		h.Set("Mcp-Param-"+known[i].field, fieldText(text))
	}
	return context.WithValue(ctx, paramHeadersKey{}, h)
}

// fieldText returns s as the value of a header field (SEP-2243): as it is, or in base64 if a field
// cannot have it, or if it looks like base64.
func fieldText(s string) string {
	plain := strings.TrimSpace(s) == s && !strings.HasPrefix(s, base64Prefix)
	for i := 0; plain && i < len(s); i++ {
		plain = s[i] >= ' ' && s[i] <= '~'
	}
	if plain {
		return s
	}
	return base64Prefix + base64.StdEncoding.EncodeToString([]byte(s)) + base64Suffix
}

// requestFields sets the fields that a request of a modern revision repeats from its body, and
// reports whether params are those of one.
func requestFields(h http.Header, method string, params []byte) bool {
	version, ok := stringOf(member(member(params, "_meta"), MetaKeyProtocolVersion))
	if !ok {
		return false
	}
	h.Set("MCP-Protocol-Version", string(version))
	h.Set("Mcp-Method", method)
	name := "name"
	switch method {
	case MethodReadResource.String():
		name = "uri"
	case MethodCallTool.String(), MethodGetPrompt.String():
	default:
		return true
	}
	if value, ok := stringOf(member(params, name)); ok {
		h.Set("Mcp-Name", fieldText(string(value)))
	}
	return true
}
