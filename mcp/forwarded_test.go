package mcp

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// toldOf returns the topics that change reports.
func toldOf(s *Server, change func()) (topics []Topic) {
	stop := s.OnChange(func(ch Change) { topics = append(topics, ch.Topic) })
	defer stop()
	change()
	return topics
}

// Replace reports only the lists that differ, and the same features again are nothing new.
func TestReplace(t *testing.T) {
	s := newTestServer(t, nil)
	b := answering(`{"content":[]}`)
	up := upstreamOf(b)
	other := &Forwarded{Backend: b, Tools: []ForwardedFeature{{Name: "z", Raw: []byte(forwardedTool)}}, Resources: [][]byte{[]byte(`{"uri":"z://r","name":"z"}`)}}
	changed := upstreamOf(answering(`{"content":[{"type":"text","text":"new"}]}`))
	changed.Prompts = []ForwardedFeature{{Name: "up__p", Raw: []byte(`{"name":"p","description":"new"}`)}, {Name: "up__q", Raw: []byte(`{"name":"q"}`)}}
	for _, step := range []struct {
		why, owner string
		f          *Forwarded
		told       string
	}{
		{"first", "up", up, "[1 2 4]"},
		{"again", "up", upstreamOf(b), "[]"},
		{"another", "other", other, "[1 4]"},
		{"changed", "up", changed, "[2]"},
		{"back", "up", up, "[2]"},
		{"gone", "up", nil, "[1 2 4]"},
		{"gone again", "up", nil, "[]"},
	} {
		before := s.reg.Load().tools
		var errs []error
		if told := fmt.Sprint(toldOf(s, func() { errs = s.Replace(step.owner, step.f) })); told != step.told || errs != nil {
			t.Errorf("%s: told %s, want %s; %v", step.why, told, step.told, errs)
		}
		if same := s.reg.Load().tools == before; same != !strings.Contains(step.told, "1") {
			t.Errorf("%s: the encoded list was kept: %v", step.why, same)
		}
		c := newClient(t, s)
		a := c.call("tools/list", "")
		if has := strings.Contains(a.body, `{"name":"up__t","inputSchema":{"type":"object"}}`); has == strings.HasPrefix(step.why, "gone") {
			t.Errorf("%s: listed %v: %s", step.why, has, a.body)
		}
		if step.why == "changed" {
			c.call("tools/call", `"name":"up__t"`).wantResult("the new backend", `"text":"new"`)
		}
	}
	c := newClient(t, s)
	c.call("tools/call", `"name":"up__t"`).wantError("gone", jsonrpc.CodeInvalidParams, 400)
	c.call("tools/call", `"name":"z"`).wantResult("the other stays")
	c.call("server/discover", "").wantResult("never fewer", `"prompts":{"listChanged":true}`, `"completions":{}`)
}

// Names belong to who had them first, and what upstreams must not have harms nothing but itself.
func TestReplaceLeavesOut(t *testing.T) {
	s := newTestServer(t, nil)
	b := answering(`{"content":[]}`)
	tool := func(name, raw string) ForwardedFeature { return ForwardedFeature{Name: name, Raw: []byte(raw)} }
	s.Replace("a", &Forwarded{Backend: b, Tools: []ForwardedFeature{tool("same", forwardedTool)}, Resources: [][]byte{[]byte(`{"uri":"HTTP://x.example/a","name":"r"}`)}})
	errs := s.Replace("b", &Forwarded{
		Backend: b,
		Tools: []ForwardedFeature{
			tool("same", forwardedTool), tool("echo", forwardedTool), tool("", `{"name":"fine"}`), tool("", `{"name":"fine"}`),
			tool("", `7`), tool("", `{"name":""}`), tool("", `{"name":7}`), tool("", `{"name":"x","name":"y"}`), tool("", "{\"name\":\"\xff\"}"), tool("", `{"name":"cut`), tool("n", `{}`),
			tool("h1", `{"name":"h","inputSchema":{"type":"object","properties":{"a":{"type":"string","x-mcp-header":"a b"}}}}`),
			tool("h2", `{"name":"h","inputSchema":{"type":"object","properties":{"a":{"type":"string","x\u002dmcp-header":""}}}}`),
			tool("h3", `{"name":"h","inputSchema":{"type":"object","properties":{"a":{"type":"string","x-mcp-header":"Key"}}}}`),
			tool("odd schema", `{"name":"o","inputSchema":{"type":7,"pattern":"(?<","$ref":"#/nowhere","properties":[]}}`),
			tool("no schema", `{"name":"o","inputSchema":true,"outputSchema":[]}`),
		},
		Resources:         [][]byte{[]byte(`{"uri":"http://X.example/a","name":"r"}`), []byte(`{"uri":"not a uri at all%","name":"r"}`), []byte(`{"name":"r"}`)},
		ResourceTemplates: [][]byte{[]byte(`{"uriTemplate":"x://{a","name":"bad"}`), []byte(`{"uriTemplate":"x://{;a*}{?b:3}","name":"level 4"}`)},
	})
	want := []string{
		`mcp: a tool of "b" is left out: it is not a JSON object`, `it has no name`, `it has no name`, `not a JSON object`, `not a JSON object`, `not a JSON object`, `it has no name`,
		`"h": schema: x-mcp-header`, `"h": schema: x-mcp-header`, `a resource of "b" is left out: it has no name`, `the tool "fine" is left out: its upstream has two`,
		`the tool "echo" of "b" is left out: the server itself has one of that name`, `the tool "same" of "b" is left out: "a" has one of that name`, `the resource "http://X.example/a" of "b" is left out: "a"`,
	}
	for i, err := range errs {
		if i >= len(want) || !strings.Contains(err.Error(), want[i]) {
			t.Errorf("error %d: %v", i, err)
		}
	}
	if len(errs) != len(want) {
		t.Errorf("%d errors, want %d: %v", len(errs), len(want), errors.Join(errs...))
	}
	for _, rev := range append([]string{modern}, legacies...) {
		c := &client{t: t, s: s, caps: `{}`}
		if rev != modern {
			c.session = &SessionInfo{Revision: rev}
		}
		a := c.call("tools/list", "")
		for _, name := range []string{"same", "fine", "h3", "odd schema", "no schema"} {
			if !strings.Contains(a.body, `"name":"`+name+`"`) {
				t.Errorf("%s: no %q in %s", rev, name, a.body)
			}
		}
		if strings.Contains(a.body, `"h1"`) || strings.Contains(a.body, `"h2"`) {
			t.Errorf("%s: %s", rev, a.body)
		}
		c.call("resources/list", "").wantResult(rev, `"uri":"not a uri at all%"`)
		c.call("resources/templates/list", "").wantResult(rev, `"uriTemplate":"x://{a"`)
		c.call("resources/read", `"uri":"not a uri at all%"`).wantResult(rev)
		if a := c.call("resources/read", `"uri":"x://{a"`); a.code == 0 {
			t.Errorf("%s: read by a template that is not valid", rev)
		}
	}
	if errs := s.Replace("c", &Forwarded{}); len(errs) != 1 {
		t.Errorf("no backend: %v", errs)
	}
	// The header fields of a tool's params are checked as those of any tool.
	c := newClient(t, s)
	meta := &RequestMeta{HTTP: true, ProtocolVersion: []byte(modern), Method: []byte("tools/call"), Name: []byte("h3")}
	c.callHTTP("tools/call", `"name":"h3","arguments":{"a":"v"}`, meta).wantError("no field", CodeHeaderMismatch, 400)
	meta.Params = func(yield func(name, value []byte) bool) { yield([]byte("key"), []byte("v")) }
	c.callHTTP("tools/call", `"name":"h3","arguments":{"a":"v"}`, meta).wantResult("with it")
}

// A feature is listed as its upstream lists it, less what the revision does not have.
func TestForwardedEntries(t *testing.T) {
	const (
		tool = `{"title":"T","name":"t","description":"d","icons":[{"src":"data:,"}],"inputSchema":{"type":"object","properties":{"a":true,"b": {"type":"string"}}},` +
			`"outputSchema":{"type":"object"},"annotations":{"readOnlyHint":true},"execution":{"taskSupport":"required"},"_meta":{"io.modelcontextprotocol/x":1,"k":2},"acme":{"z":1}}`
		prompt   = `{"name":"p","title":"P","arguments":[{"name":"a","title":"A","required":true},{"name":"b"}],"icons":[]}`
		resource = `{"uri":"up://r","name":"r","title":"R","size":7,"annotations":{"priority":1,"lastModified":"2026-01-01T00:00:00Z"},"_meta":{"k":1}}`
		template = `{"uriTemplate":"up://{x}","name":"d","title":"D","mimeType":"text/plain"}`
	)
	s := newTestServer(t, nil)
	s.RemoveTools("add", "echo")
	if errs := s.Replace("up", &Forwarded{Backend: answering(`{}`), Tools: []ForwardedFeature{{Name: "x__t", Raw: []byte(tool)}}, Prompts: []ForwardedFeature{{Name: "x__p", Raw: []byte(prompt)}},
		Resources: [][]byte{[]byte(resource)}, ResourceTemplates: [][]byte{[]byte(template)}}); errs != nil {
		t.Fatal(errs)
	}
	for _, tt := range []struct {
		method string
		want   map[string]string
	}{
		{"tools/list", map[string]string{
			modern:       `{"title":"T","name":"x__t","description":"d","icons":[{"src":"data:,"}],"inputSchema":{"type":"object","properties":{"a":true,"b": {"type":"string"}}},"outputSchema":{"type":"object"},"annotations":{"readOnlyHint":true},"_meta":{"k":2},"acme":{"z":1}}`,
			"2025-11-25": `{"title":"T","name":"x__t","description":"d","icons":[{"src":"data:,"}],"inputSchema":{"type":"object","properties":{"a":{},"b":{"type":"string"}}},"outputSchema":{"type":"object"},"annotations":{"readOnlyHint":true},"_meta":{"k":2}}`,
			"2025-06-18": `{"title":"T","name":"x__t","description":"d","inputSchema":{"type":"object","properties":{"a":{},"b":{"type":"string"}}},"outputSchema":{"type":"object"},"annotations":{"readOnlyHint":true},"_meta":{"k":2}}`,
			"2025-03-26": `{"name":"x__t","description":"d","inputSchema":{"type":"object","properties":{"a":{},"b":{"type":"string"}}},"annotations":{"readOnlyHint":true}}`,
			"2024-11-05": `{"name":"x__t","description":"d","inputSchema":{"type":"object","properties":{"a":{},"b":{"type":"string"}}}}`,
		}},
		{"prompts/list", map[string]string{
			modern:       `{"name":"x__p","title":"P","arguments":[{"name":"a","title":"A","required":true},{"name":"b"}],"icons":[]}`,
			"2025-06-18": `{"name":"x__p","title":"P","arguments":[{"name":"a","title":"A","required":true},{"name":"b"}]}`,
			"2025-03-26": `{"name":"x__p","arguments":[{"name":"a","required":true},{"name":"b"}]}`,
		}},
		{"resources/list", map[string]string{
			modern:       resource,
			"2025-06-18": resource,
			"2024-11-05": `{"uri":"up://r","name":"r","size":7,"annotations":{"priority":1}}`,
		}},
		{"resources/templates/list", map[string]string{
			modern:       template,
			"2024-11-05": `{"uriTemplate":"up://{x}","name":"d","mimeType":"text/plain"}`,
		}},
	} {
		for rev, want := range tt.want {
			c := newClient(t, s)
			if rev != modern {
				c = newLegacyClient(t, s, rev, `{}`)
			}
			if strings.Contains(want, "acme") {
				c.schema = nil // which has no members of others
			}
			if a := c.call(tt.method, ""); !strings.Contains(a.body, `:[`+want+`]`) {
				t.Errorf("%s at %s: got %s\nwant %s", tt.method, rev, a.body, want)
			}
		}
	}
}

// What upstreams declare is declared together, and their instructions follow each other.
func TestForwardedCapabilities(t *testing.T) {
	b := answering(`{}`)
	for _, tt := range []struct {
		why  string
		opts ServerOptions
		fs   []Forwarded
		want string
		text string
	}{
		{"one with a tool", ServerOptions{Capabilities: &ServerCapabilities{}}, []Forwarded{{Tools: []ForwardedFeature{{Name: "", Raw: []byte(forwardedTool)}}}}, `{"tools":{}}`, ""},
		{"the union", ServerOptions{Capabilities: &ServerCapabilities{}, Instructions: "0"}, []Forwarded{
			{Capabilities: ServerCapabilities{Tools: &ToolCapabilities{ListChanged: true}, Resources: &ResourceCapabilities{Subscribe: true}, Completions: &CompletionCapabilities{}}, Instructions: "1"},
			{Capabilities: ServerCapabilities{Tools: &ToolCapabilities{}, Resources: &ResourceCapabilities{ListChanged: true}, Logging: &LoggingCapabilities{}}, Instructions: "2"},
		}, `{"completions":{},"logging":{},"resources":{"listChanged":true,"subscribe":true},"tools":{"listChanged":true}}`, "0\n\n1\n\n2"},
		{"the host's first", ServerOptions{Capabilities: &ServerCapabilities{Tools: &ToolCapabilities{}}}, []Forwarded{{Capabilities: ServerCapabilities{Tools: &ToolCapabilities{ListChanged: true}}}}, `{"tools":{}}`, ""},
		{"no extensions", ServerOptions{}, []Forwarded{{Capabilities: ServerCapabilities{Extensions: map[string]any{"a/b": map[string]any{}}, Experimental: map[string]any{"tasks": map[string]any{}}}}}, `{"logging":{}}`, ""},
	} {
		s := NewServer(&Implementation{Name: "test", Version: "v1.0.0"}, &tt.opts)
		t.Cleanup(s.Close)
		for i, f := range tt.fs {
			f.Backend = b
			if errs := s.Replace(fmt.Sprint("up", i), &f); errs != nil {
				t.Fatal(errs)
			}
		}
		for _, a := range []*answer{newClient(t, s).call("server/discover", ""), newClient(t, s).initialize("2025-11-25", `{}`)} {
			a.wantResult(tt.why, `"capabilities":`+tt.want)
			if text, _ := a.result()["instructions"].(string); text != tt.text {
				t.Errorf("%s: instructions %q", tt.why, text)
			}
		}
		for i := range tt.fs {
			s.Replace(fmt.Sprint("up", i), nil)
		}
		newClient(t, s).call("server/discover", "").wantResult(tt.why+", and gone", `"capabilities":`+tt.want)
	}
}
