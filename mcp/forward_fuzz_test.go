package mcp

import (
	"testing"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// FuzzForwarded: whatever an upstream lists, answers or tells, clients of every revision get valid
// messages, and one response.
func FuzzForwarded(f *testing.F) {
	for _, seed := range []string{
		`{"content":[{"type":"audio"},{"type":"text","text":"x"}],"structuredContent":[1],"_meta":{"io.modelcontextprotocol/x":1,"a":2}}`,
		`{"resultType":"input_required","inputRequests":{"a":{"method":"sampling/createMessage","params":{"messages":[{"role":"user","content":[]}]}}},"requestState":"s"}`,
		`{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{"mode":"url","url":"x:y"}}}}`,
		`{"name":"t","title":"T","inputSchema":{"properties":{"a":true,"b":{"x-mcp-header":"A","type":"string"}}},"arguments":[{"name":"a","title":"A"}]}`,
		`{"uri":"up://%","uriTemplate":"up://{+a","name":"r","annotations":{"lastModified":"x"}}`,
		`{"progressToken":1,"progress":1.5,"level":"error","data":{},"message":"m"}`,
		`{"messages":[{"role":"user","content":{"type":"resource_link","uri":"u:v","name":"n"}}],"contents":[],"ttlMs":-1,"cacheScope":"x"}`,
		"{\n}", `[`, "{\"a\":\"\x80\"}",
	} {
		f.Add([]byte(seed))
	}
	s := NewServer(&Implementation{Name: "test", Version: "v1.0.0"}, &ServerOptions{Logger: quiet})
	f.Cleanup(s.Close)
	f.Fuzz(func(t *testing.T, raw []byte) {
		up := upstreamOf(&fakeBackend{start: func(f *Forward) {
			if jsonrpc.Check(raw) == nil {
				f.Progress(raw)
				f.Message(raw)
			}
			f.Result(raw)
		}})
		up.Tools = append(up.Tools, ForwardedFeature{Raw: raw})
		up.Prompts = append(up.Prompts, ForwardedFeature{Raw: raw})
		up.Resources, up.ResourceTemplates = append(up.Resources, raw), append(up.ResourceTemplates, raw)
		s.Replace("up", up)
		for i := range revisions {
			rev := &revisions[i]
			c := &client{t: t, s: s, caps: everyCap, meta: `,"progressToken":1`}
			if rev.tag != 0 {
				c.session = &SessionInfo{Revision: rev.name, Capabilities: rev.agreed(capabilityBits([]byte(everyCap)))}
			}
			for _, call := range append(forwardedCalls[:5:5], struct{ method, members, name, result string }{"tools/list", "", "", ""},
				struct{ method, members, name, result string }{"prompts/list", "", "", ""}, struct{ method, members, name, result string }{"resources/list", "", "", ""},
				struct{ method, members, name, result string }{"resources/templates/list", "", "", ""}) {
				a := c.call(call.method, call.members)
				for _, msg := range append(a.notified, a.body) {
					var m jsonrpc.Envelope
					if err := m.Decode([]byte(msg)); err != nil {
						t.Fatalf("%s at %s: %v: %s", call.method, rev.name, err, msg)
					}
				}
			}
		}
	})
}
