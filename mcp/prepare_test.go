package mcp

import (
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// The table has every refusal of Prepare, with the code, the status and, where the specification
// wants it, the data. The rows are in the order of the checks.
func TestPrepareRefuses(t *testing.T) {
	const (
		version = `"io.modelcontextprotocol/protocolVersion":"2026-07-28"`
		caps    = `"io.modelcontextprotocol/clientCapabilities":{}`
		both    = version + "," + caps
	)
	headers := func(version, method, name string) *RequestMeta {
		m := &RequestMeta{HTTP: true}
		for _, f := range []struct {
			dst *[]byte
			v   string
		}{{&m.ProtocolVersion, version}, {&m.Method, method}, {&m.Name, name}} {
			if f.v != "" {
				*f.dst = []byte(f.v)
			}
		}
		return m
	}
	good := func() *RequestMeta { return headers(modern, "tools/list", "") }
	tests := []struct {
		why    string
		body   string
		meta   *RequestMeta
		code   jsonrpc.Code
		status int
		word   string
	}{
		{"a result", `{"jsonrpc":"2.0","id":1,"result":{}}`, good(), -32600, 400, ""},
		{"an error response", `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}`, good(), -32600, 400, ""},

		{"_meta is no object", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":1}}`, good(), -32602, 400, "_meta"},
		{"the version is no string", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":1}}}`, good(), -32602, 400, ""},
		{"an unknown version", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2099-01-01",` + caps + `}}}`, headers("2099-01-01", "tools/list", ""), -32022, 400, `"data":{"supported":["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"],"requested":"2099-01-01"}`},
		{"an unknown version before other headers", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"1"}}}`, headers("", "", ""), -32022, 400, `"requested":"1"`},
		{"an unknown version and another header", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"v999.0.0",` + caps + `}}}`, good(), -32020, 400, "MCP-Protocol-Version"},
		{"an unknown header version, no _meta", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, headers("2099-01-01", "", ""), -32022, 400, `"requested":"2099-01-01"`},
		{"an earlier header version, no _meta", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, headers("2025-11-25", "", ""), -32600, 400, "session id"},
		{"header but no _meta", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, good(), -32602, 400, "_meta"},
		{"header but empty _meta", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{}}}`, good(), -32602, 400, "protocolVersion"},
		{"neither header nor _meta", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}`, headers("", "", ""), -32602, 400, ""},

		{"no capabilities", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{` + version + `}}}`, good(), -32602, 400, "clientCapabilities"},
		{"capabilities are no object", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{` + version + `,"io.modelcontextprotocol/clientCapabilities":[]}}}`, good(), -32602, 400, ""},
		{"a capability is no object", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{` + version + `,"io.modelcontextprotocol/clientCapabilities":{"sampling":true}}}}`, good(), -32602, 400, ""},
		{"clientInfo is no object", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{` + both + `,"io.modelcontextprotocol/clientInfo":"x"}}}`, good(), -32602, 400, "clientInfo"},
		{"a bad logging level", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{` + both + `,"io.modelcontextprotocol/logLevel":"loud"}}}`, good(), -32602, 400, "logLevel"},
		{"a logging level that is no string", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{` + both + `,"io.modelcontextprotocol/logLevel":3}}}`, good(), -32602, 400, "logLevel"},
		{"a progress token that is an object", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{` + both + `,"progressToken":{}}}}`, good(), -32602, 400, "progressToken"},
		{"a progress token with a fraction", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{` + both + `,"progressToken":1.5}}}`, good(), -32602, 400, "progressToken"},

		{"an unknown method", `{"jsonrpc":"2.0","id":1,"method":"tools/fly","params":{"_meta":{` + both + `}}}`, headers(modern, "tools/fly", ""), -32601, 404, ""},
		{"a method in another case", `{"jsonrpc":"2.0","id":1,"method":"TOOLS/LIST","params":{"_meta":{` + both + `}}}`, headers(modern, "TOOLS/LIST", ""), -32601, 404, ""},
		{"a notification's method with an id", `{"jsonrpc":"2.0","id":1,"method":"notifications/cancelled","params":{"_meta":{` + both + `}}}`, good(), -32601, 404, ""},
		{"a method not offered", `{"jsonrpc":"2.0","id":1,"method":"prompts/list","params":{"_meta":{` + both + `}}}`, headers(modern, "prompts/list", ""), -32601, 404, ""},
		{"resources not offered", `{"jsonrpc":"2.0","id":1,"method":"resources/list","params":{"_meta":{` + both + `}}}`, headers(modern, "resources/list", ""), -32601, 404, ""},
		{"completion not offered", `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"_meta":{` + both + `}}}`, headers(modern, "completion/complete", ""), -32601, 404, ""},

		{"a cursor that is no string", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{` + both + `},"cursor":1}}`, headers(modern, "", ""), -32602, 400, "cursor"},
		{"no tool's name", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{` + both + `}}}`, headers(modern, "tools/call", ""), -32602, 400, "name"},
		{"arguments are no object", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{` + both + `},"name":"add","arguments":[]}}`, headers(modern, "tools/call", "add"), -32602, 400, "arguments"},
		{"inputResponses are no object", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{` + both + `},"name":"add","inputResponses":[]}}`, headers(modern, "tools/call", "add"), -32602, 400, "inputResponses"},
		{"requestState is no string", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{` + both + `},"name":"add","requestState":{}}}`, headers(modern, "tools/call", "add"), -32602, 400, "requestState"},

		{"_meta but no version header", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{` + both + `}}}`, headers("", "tools/list", ""), -32020, 400, "MCP-Protocol-Version"},
		{"another version header", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{` + both + `}}}`, headers("2025-11-25", "tools/list", ""), -32020, 400, "MCP-Protocol-Version"},
		{"no Mcp-Method", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{` + both + `}}}`, headers(modern, "", ""), -32020, 400, "Mcp-Method"},
		{"another Mcp-Method", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{` + both + `}}}`, headers(modern, "tools/call", ""), -32020, 400, "Mcp-Method"},
		{"Mcp-Method in another case", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{` + both + `}}}`, headers(modern, "TOOLS/LIST", ""), -32020, 400, "Mcp-Method"},
		{"no Mcp-Name", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{` + both + `},"name":"add"}}`, headers(modern, "tools/call", ""), -32020, 400, "Mcp-Name"},
		{"another Mcp-Name", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{` + both + `},"name":"add"}}`, headers(modern, "tools/call", "echo"), -32020, 400, "Mcp-Name"},
		{"a malformed Mcp-Name", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{` + both + `},"name":"add"}}`, headers(modern, "tools/call", "=?base64?YWRk!?="), -32020, 400, "malformed"},
		{"a field twice", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{` + both + `}}}`, &RequestMeta{HTTP: true, Duplicate: true, ProtocolVersion: []byte(modern), Method: []byte("tools/list")}, -32020, 400, "once"},

		{"an unknown tool", `{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"_meta":{` + both + `},"name":"fly"}}`, headers(modern, "tools/call", "fly"), -32602, 400, `"id":"x"`},
		{"an unknown cursor", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{` + both + `},"cursor":"invalid-cursor"}}`, good(), -32602, 400, "cursor"},
		{"a made-up state", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{` + both + `},"name":"add","requestState":"abc"}}`, headers(modern, "tools/call", "add"), -32602, 400, "requestState"},
	}
	for _, tt := range tests {
		t.Run(strings.ReplaceAll(tt.why, " ", "_"), func(t *testing.T) {
			c := newClient(t, newTestServer(t, nil))
			a := c.send(tt.body, tt.meta)
			a.wantError(tt.why, tt.code, tt.status, tt.word)
			if a.kind != CallNone {
				t.Errorf("kind %d of a refused message", a.kind)
			}
		})
	}
}

// The envelope decides the era: methods of earlier revisions do not exist for requests with a
// modern claim.
func TestRemovedMethods(t *testing.T) {
	c := newClient(t, newTestServer(t, nil))
	for _, method := range []string{"initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"} {
		a := c.callHTTP(method, "", &RequestMeta{HTTP: true, ProtocolVersion: []byte(modern), Method: []byte(method)})
		a.wantError(method, -32601, 404)
	}
}

// Other rules require these messages to be accepted.
func TestPrepareAccepts(t *testing.T) {
	c := newClient(t, newTestServer(t, nil))
	c.call("tools/list", "").wantResult("without clientInfo")
	c.meta = `,"io.modelcontextprotocol/clientInfo":{"name":"n","version":"v"},"progressToken":"t","com.example/x":[1]`
	c.call("tools/list", `"cursor":"","unknown":{}`).wantResult("an empty cursor and unknown members")
	c.call("tools/call", `"name":"add","arguments":{"a":1,"b":2},"inputResponses":{}`).wantResult("an inline tool with empty answers")
	for _, name := range []string{"add", "=?base64?YWRk?="} {
		meta := &RequestMeta{HTTP: true, ProtocolVersion: []byte(modern), Method: []byte("tools/call"), Name: []byte(name)}
		c.callHTTP("tools/call", `"n\u0061me":"\u0061dd","arguments":{"a":1,"b":2}`, meta).wantResult("Mcp-Name " + name)
	}
	a := c.send(`{"jsonrpc":"2.0","id":"\u0041","method":"tools/list","params":`+c.params("")+`}`, nil)
	a.wantResult("an id is echoed as it was written", `"id":"\u0041"`)
}

func TestNotificationsAreAccepted(t *testing.T) {
	c := newClient(t, newTestServer(t, nil))
	for _, body := range []string{
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`,
		`{"jsonrpc":"2.0","method":"notifications/cancelled"}`,
		`{"jsonrpc":"2.0","method":"notifications/unknown","params":{"_meta":[]}}`,
	} {
		a := c.send(body, &RequestMeta{HTTP: true})
		if a.kind != CallNotification || a.code != 0 || a.body != "" {
			t.Errorf("%s: kind %d, code %d, %q", body, a.kind, a.code, a.body)
		}
	}
}

func TestStatusOfZeroCall(t *testing.T) {
	var c Call
	for code, want := range map[jsonrpc.Code]int{0: 200, -32700: 400, -32600: 400, -32601: 404, -32602: 400, -32603: 200, -32020: 400, -32021: 400, -32022: 400, -1: 200} {
		if got := c.Status(code); got != want {
			t.Errorf("Status(%d) = %d, want %d", code, got, want)
		}
	}
}

func TestMethodNames(t *testing.T) {
	for m := MethodOther; m < methodCount; m++ {
		if got := methodOf([]byte(m.String())); got != m {
			t.Errorf("methodOf(%s) = %s", m, got)
		}
	}
	if Method(200).String() != "other" {
		t.Error("a number that is no method has a name")
	}
}
