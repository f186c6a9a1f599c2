package upstream

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

func TestAppendRequest(t *testing.T) {
	info := []byte(`{"name":"gw","version":"1"}`)
	const modern = `"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"gw","version":"1"},` +
		`"io.modelcontextprotocol/clientCapabilities":{}`
	for _, tt := range []struct {
		name   string
		params string
		st     stamp
		want   string // params; "" for none
	}{
		{"nothing", ``, stamp{}, ``},
		{"empty", `{}`, stamp{}, ``},
		{"only a token", `{"_meta":{"progressToken":5}}`, stamp{}, ``},
		{"progress", `{}`, stamp{progress: true}, `{"_meta":{"progressToken":9}}`},
		{"modern", ``, stamp{modern: true, clientInfo: info}, `{"_meta":{` + modern + `}}`},
		{"what belongs to a hop", `{"_meta":{"io.modelcontextprotocol/clientInfo":{},"io.modelcontextprotocol\/logLevel":"debug","\u0070rogressToken":1,"a/b":[1, 2]},"x":1}`,
			stamp{modern: true, clientInfo: info}, `{"x":1,"_meta":{"a/b":[1, 2],` + modern + `}}`},
		{"trace context", `{"_meta":{"traceparent":"00-a","tracestate":"b","baggage":"c"}}`, stamp{}, `{"_meta":{"traceparent":"00-a","tracestate":"b","baggage":"c"}}`},
		{"name", `{"arguments":{"name":"x"},"name":"a__b"}`, stamp{replace: "name", name: `b"`}, `{"arguments":{"name":"x"},"name":"b\""}`},
		{"escaped name", `{"n\u0061me":"a__b"}`, stamp{replace: "name", name: "b"}, `{"n\u0061me":"b"}`},
		{"line ends", "{\"a\":\r\n[1,\n2],\"b\":\"\\n\"}", stamp{}, `{"a":[1, 2],"b":"\n"}`},
		{"a _meta that is none", `{"_meta":7}`, stamp{}, ``},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := string(appendRequest(nil, 9, "m", []byte(tt.params), &tt.st))
			want := `{"jsonrpc":"2.0","id":9,"method":"m"`
			if tt.want != "" {
				want += `,"params":` + tt.want
			}
			if want += "}"; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			var env jsonrpc.Envelope
			if err := env.Decode([]byte(got)); err != nil {
				t.Errorf("%s: %v", got, err)
			}
		})
	}
}

// TestRequestKeepsMembers checks that each member of random params arrives as it was.
func TestRequestKeepsMembers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		params := []byte{'{'}
		values := map[string]string{}
		for i := range rapid.IntRange(0, 5).Draw(t, "members") {
			name := "k" + itoa(int64(i)) + rapid.String().Draw(t, "name")
			value := string(jsonrpc.AppendString(nil, rapid.String().Draw(t, "value")))
			if i > 0 {
				params = append(params, ", "...)
			}
			params = append(jsonrpc.AppendString(params, name), ':', '\n')
			params = append(params, value...)
			values[string(jsonrpc.AppendString(nil, name))] = value
		}
		params = append(params, '}')
		st := stamp{progress: rapid.Bool().Draw(t, "progress"), modern: rapid.Bool().Draw(t, "modern"), clientInfo: []byte(`{}`)}
		body := appendRequest(nil, 1, "m", params, &st)
		var env jsonrpc.Envelope
		if err := env.Decode(body); err != nil || hasLineEnds(body) {
			t.Fatalf("%s: %v", body, err)
		}
		for name, value := range jsonrpc.Members(env.Params) {
			quoted := `"` + string(name) + `"`
			if quoted == `"_meta"` {
				continue
			}
			if values[quoted] != string(value) {
				t.Fatalf("%s is %s, want %s", quoted, value, values[quoted])
			}
			delete(values, quoted)
		}
		if len(values) > 0 {
			t.Fatalf("lost: %v in %s", values, body)
		}
	})
}
