package mcp

import (
	"fmt"
	"testing"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// discard is a Sink that drops everything.
type discard struct{ n int }

func (d *discard) Notify(msg []byte) bool                { d.n += len(msg); return true }
func (d *discard) Respond(msg []byte, code jsonrpc.Code) { d.n += len(msg) }

// hotMeta is the _meta of a typical client.
const hotMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1.0.0"},"io.modelcontextprotocol/clientCapabilities":{}}`

// hotCases are the requests whose cost the tests and benchmarks measure.
var hotCases = []struct {
	name, method, target, params string
	allocs                       float64
}{
	{"add", "tools/call", "add", hotMeta + `,"name":"add","arguments":{"a":1,"b":2}`, 1},
	{"echo", "tools/call", "echo", hotMeta + `,"name":"echo","arguments":{"text":"hello, harbour"}`, 5},
	{"tools_list", "tools/list", "", hotMeta, 0},
	{"discover", "server/discover", "", hotMeta, 0},
}

// hotMessage returns a decoded request and the meta that an HTTP transport gives.
func hotMessage(t testing.TB, method, target, params string) (*jsonrpc.Envelope, *RequestMeta) {
	var m jsonrpc.Envelope
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":12345,"method":%q,"params":{%s}}`, method, params)
	if err := m.Decode([]byte(body)); err != nil {
		t.Fatal(err)
	}
	meta := &RequestMeta{HTTP: true, ProtocolVersion: []byte(modern), Method: []byte(method)}
	if target != "" {
		meta.Name = []byte(target)
	}
	return &m, meta
}

// answerHot prepares and runs one message.
func answerHot(t testing.TB, s *Server, c *Call, m *jsonrpc.Envelope, meta *RequestMeta, w Sink) {
	if e := s.Prepare(c, m, meta); e != nil {
		t.Fatal(e)
	}
	c.Run(t.Context(), w)
	c.Reset()
}

func BenchmarkCall(b *testing.B) {
	s := newTestServer(b, nil)
	for _, tt := range hotCases {
		b.Run(tt.name, func(b *testing.B) {
			m, meta := hotMessage(b, tt.method, tt.target, tt.params)
			var c Call
			var w discard
			b.ReportAllocs()
			for b.Loop() {
				answerHot(b, s, &c, m, meta, &w)
			}
		})
	}
}

func BenchmarkPrepare(b *testing.B) {
	s := newTestServer(b, nil)
	for _, tt := range hotCases {
		b.Run(tt.name, func(b *testing.B) {
			m, meta := hotMessage(b, tt.method, tt.target, tt.params)
			var c Call
			b.ReportAllocs()
			for b.Loop() {
				if e := s.Prepare(&c, m, meta); e != nil {
					b.Fatal(e)
				}
				c.Reset()
			}
		})
	}
}
