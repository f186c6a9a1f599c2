package mcp

import (
	"bytes"
	"strconv"

	json "github.com/goccy/go-json"
	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A resultHead is the beginning of the results of one server in one revision: the text between the
// id of the response and the members of the result.
type resultHead struct {
	complete []byte // for a complete result; ends with the comma before the first member
	required []byte // the same for an input_required result
	open     []byte // like complete, but ends within _meta: for results with _meta of their own
}

func newResultHead(rev *revision, info []byte) resultHead {
	write := func(resultType string) (open []byte) {
		open = append(open, `,"result":{`...)
		if rev.resultType {
			open = append(open, `"resultType":"`+resultType+`",`...)
		}
		open = append(open, `"_meta":{`...)
		if rev.serverInfo {
			open = append(open, `"`+MetaKeyServerInfo+`":`...)
			open = append(open, info...)
		}
		return open
	}
	closed := func(open []byte) []byte {
		if !rev.serverInfo {
			return bytes.TrimSuffix(open, []byte(`"_meta":{`))
		}
		return append(bytes.Clone(open), `},`...)
	}
	open := write("complete")
	return resultHead{complete: closed(open), required: closed(write("input_required")), open: open}
}

// appendStart appends a response up to the members of its complete result. The _meta of the result
// holds meta and what the server adds.
func (h *resultHead) appendStart(dst, id []byte, meta Meta) ([]byte, error) {
	dst = appendID(dst, id)
	if len(meta) == 0 {
		return append(dst, h.complete...), nil
	}
	if _, ok := meta[MetaKeyServerInfo]; ok {
		own := make(Meta, len(meta))
		for k, v := range meta {
			if k != MetaKeyServerInfo {
				own[k] = v
			}
		}
		meta = own
	}
	text, err := json.MarshalWithOption(meta, json.DisableHTMLEscape())
	if err != nil {
		return dst, err
	}
	dst = append(dst, h.open...)
	if text = text[1 : len(text)-1]; len(text) > 0 {
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(dst, text...)
	}
	return append(dst, `},`...), nil
}

// appendID appends the beginning of a response, through its id.
func appendID(dst, id []byte) []byte {
	dst = append(dst, `{"jsonrpc":"2.0","id":`...)
	return append(dst, id...)
}

// appendHints appends the caching fields if the revision has them.
func appendHints(dst []byte, rev *revision, c Cacheable) []byte {
	if !rev.cacheHints {
		return dst
	}
	dst = append(dst, `,"ttlMs":`...)
	dst = strconv.AppendInt(dst, int64(c.TTLMs), 10)
	dst = append(dst, `,"cacheScope":`...)
	return jsonrpc.AppendString(dst, c.CacheScope)
}

// marshal returns the JSON of v in the form of encoding/json, without HTML escapes.
func marshal(v any) ([]byte, error) {
	return json.MarshalWithOption(v, json.DisableHTMLEscape())
}
