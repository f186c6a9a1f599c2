package mcp

import (
	"strings"
	"testing"
)

// A fakeBackend is an upstream of functions.
type fakeBackend struct {
	start  func(*Forward)
	cancel func(*Forward, error)
}

func (b *fakeBackend) Start(f *Forward) { b.start(f) }

func (b *fakeBackend) Cancel(f *Forward, cause error) {
	if b.cancel != nil {
		b.cancel(f, cause)
	}
}

// answering returns a backend that answers every call with the result.
func answering(result string) *fakeBackend {
	return &fakeBackend{start: func(f *Forward) { f.Result([]byte(result)) }}
}

const (
	forwardedTool     = `{"name":"t","inputSchema":{"type":"object"}}`
	forwardedPrompt   = `{"name":"p"}`
	forwardedResource = `{"uri":"up://r","name":"r"}`
	forwardedTemplate = `{"uriTemplate":"up://d/{x}","name":"d"}`
)

// upstreamOf returns all features of an upstream behind b, under other names than its own.
func upstreamOf(b Backend) *Forwarded {
	return &Forwarded{
		Backend: b,
		Tools:   []ForwardedFeature{{Name: "up__t", Raw: []byte(forwardedTool)}}, Prompts: []ForwardedFeature{{Name: "up__p", Raw: []byte(forwardedPrompt)}},
		Resources: [][]byte{[]byte(forwardedResource)}, ResourceTemplates: [][]byte{[]byte(forwardedTemplate)},
		Capabilities: ServerCapabilities{
			Completions: &CompletionCapabilities{}, Resources: &ResourceCapabilities{ListChanged: true, Subscribe: true},
			Tools: &ToolCapabilities{ListChanged: true}, Prompts: &PromptCapabilities{ListChanged: true},
		},
	}
}

// forwarding returns a server with the features of an upstream behind b.
func forwarding(t testing.TB, b Backend, opts *ServerOptions) *Server {
	t.Helper()
	s := newTestServer(t, opts)
	if errs := s.Replace("up", upstreamOf(b)); errs != nil {
		t.Fatal(errs)
	}
	return s
}

// forwardedCalls are the requests that are forwarded, and the name that the upstream sees.
var forwardedCalls = []struct{ method, members, name, result string }{
	{"tools/call", `"name":"up__t","arguments":{"a":[1, 2]}`, "t", `{"content":[]}`},
	{"prompts/get", `"name":"up__p","arguments":{"a":"b"}`, "p", `{"messages":[]}`},
	{"resources/read", `"uri":"up://r"`, "up://r", `{"contents":[]}`},
	{"resources/read", `"uri":"up://d/7"`, "up://d/7", `{"contents":[]}`},
	{"completion/complete", `"ref":{"type":"ref/prompt","name":"up__p"},"argument":{"name":"a","value":"b"}`, "p", `{"completion":{"values":["x"]}}`},
	{"completion/complete", `"ref":{"type":"ref/resource","uri":"up://d/{x}"},"argument":{"name":"x","value":"b"}`, "up://d/{x}", `{"completion":{"values":["x"]}}`},
}

// Every kind of feature reaches its upstream, under the upstream's own name, in every revision.
func TestForward(t *testing.T) {
	var got, params string
	var target Target
	result := ""
	s := forwarding(t, &fakeBackend{start: func(f *Forward) {
		target, got = f.Target(), string(f.Name())
		params = string(f.AppendParams(nil, []byte(`"progressToken":7`), nil))
		f.Result([]byte(result))
		f.Error(errInternal) // it has ended
	}}, nil)
	for _, rev := range append([]string{modern}, legacies...) {
		var c *client
		if rev == modern {
			c = newClient(t, s)
		} else {
			c = newLegacyClient(t, s, rev, `{}`)
		}
		c.meta = `,"progressToken":"mine","acme/x":{"y":1}`
		for _, tt := range forwardedCalls {
			result = tt.result
			a := c.call(tt.method, tt.members)
			a.wantResult(rev+" "+tt.method, strings.Trim(result, "{}"))
			if a.kind != CallForward {
				t.Errorf("%s %s: kind %d", rev, tt.method, a.kind)
			}
			if target != (Target{Owner: "up", Name: tt.name}) {
				t.Errorf("%s %s: target %+v, name %q", rev, tt.method, target, got)
			}
			own := `"` + tt.name + `"`
			if !strings.Contains(params, own) || strings.Contains(params, "up__") || strings.Contains(params, "mine") ||
				strings.Contains(params, "io.modelcontextprotocol/") || !strings.HasSuffix(params, `"_meta":{"acme/x":{"y":1},"progressToken":7}}`) {
				t.Errorf("%s %s: params %s", rev, tt.method, params)
			}
			if tt.method == "tools/call" && !strings.Contains(params, `"arguments":{"a":[1, 2]}`) {
				t.Errorf("%s: arguments are not the client's: %s", rev, params)
			}
		}
	}
}
