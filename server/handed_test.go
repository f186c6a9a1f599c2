package server

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
)

// visit calls f with each byte slice and string that a handler can reach from v. It skips the
// session of a request, which drops its aliases when the request is answered.
func visit(v reflect.Value, seen map[any]bool, f func(path string, b string), path string) {
	if !v.IsValid() {
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return
		}
		if v.Kind() == reflect.Pointer {
			if p := v.Type().Elem().PkgPath(); seen[v.Pointer()] || p != "" && !strings.HasSuffix(p, "/mcp") {
				return
			}
			seen[v.Pointer()] = true
			switch v.Type().Elem().Name() {
			case "registry", "revision", "Server", "job", "tool", "prompt", "resource", "template":
				return // belongs to the server, not to the request
			}
		}
		visit(v.Elem(), seen, f, path)
	case reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "mu" && name != "session" {
				visit(v.Field(i), seen, f, path+"."+name)
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			visit(it.Key(), seen, f, path+".key")
			visit(it.Value(), seen, f, path+"."+fmt.Sprint(it.Key()))
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			f(path, string(v.Bytes()))
			return
		}
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			visit(v.Index(i), seen, f, fmt.Sprintf("%s[%d]", path, i))
		}
	case reflect.String:
		f(path, v.String())
	}
}

// printOf returns everything that can be read through a request that a handler has kept.
func printOf(req any) string {
	var lines []string
	visit(reflect.ValueOf(req), make(map[any]bool), func(path, s string) { lines = append(lines, fmt.Sprintf("%s=%q", path, s)) }, "")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// A keeper keeps requests, as handlers must not, and the text of each at the time of its call.
type keeper struct {
	mu   sync.Mutex
	reqs []any
	was  []string
}

func (k *keeper) keep(req any) {
	text := printOf(req)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reqs, k.was = append(k.reqs, req), append(k.was, text)
}

// What a worker's handler has seen never turns into another client's bytes. A handler that keeps
// arguments, URIs, answers, _meta or header values finds them unchanged, however many calls
// follow. This holds for all revisions and transports, for long messages and for batches.
func TestHandlersNeverSeeOthersBytes(t *testing.T) {
	r := newPort(t, &Options{SSEPath: "/sse"})
	k := new(keeper)
	text := &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "kept"}}}
	r.ms.AddTool(&mcp.Tool{Name: "keep", InputSchema: map[string]any{"type": "object"}},
		func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			if strings.Contains(string(req.Params.Arguments), "ask-me") && len(req.Params.InputResponses) == 0 {
				k.keep(req.Params)
				return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"q": &mcp.ElicitParams{Message: "who?"}}}, nil
			}
			k.keep(req.Params)
			k.keep(req.Extra)
			return text, nil
		})
	r.ms.AddResourceTemplate(&mcp.ResourceTemplate{URITemplate: "keep://{name}", Name: "keep"},
		func(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
			k.keep(req.Params)
			k.keep(req.Extra)
			return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: req.Params.URI, Text: "kept"}}}, nil
		})
	r.ms.AddPrompt(&mcp.Prompt{Name: "keep", Arguments: []*mcp.PromptArgument{{Name: "who"}}},
		func(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			k.keep(req.Params)
			return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: "kept"}}}}, nil
		})
	r.tell()
	flyers := []*flyer{r.flyerSSE("2024-11-05"), r.flyerSSE("2025-03-26")}
	for _, rev := range sessionRevisions {
		flyers = append(flyers, &flyer{sessionClient: r.initialize(rev)})
	}
	want := 0
	send := func(i int, body string) {
		want++
		f := flyers[i%len(flyers)]
		if i%4 == 0 {
			body += strings.Repeat(" ", bigContent)
		}
		if f.rev == "2025-03-26" && i%3 == 0 {
			body = "[" + body + "]"
		}
		p := r.dial(i % 2)
		p.send(f.messageOn(body))
		r.callsEnd("a call")
		p.fin()
		if f.stream != nil {
			f.stream.take()
		}
	}
	for i := range 200 {
		who := strings.Repeat(fmt.Sprintf("client %03d ", i), 1+i%7)
		send(i, fmt.Sprintf(
			`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{`+
				`"name":"keep","arguments":{"who":%q},"_meta":{"example.com/who":%q,"progressToken":%d}}}`,
			i, who, who, i))
		send(i, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"resources/read","params":{"uri":"keep://%03d"}}`, i, i))
		send(i, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"prompts/get","params":{"name":"keep","arguments":{"who":%q}}}`, i, who))
		// The same over the modern revision.
		p := r.connect()
		q := callTool("keep", fmt.Sprintf(`{"who":%q}`, who))
		if i%3 == 0 {
			q = q.big()
			q.name = "keep"
		}
		p.send(q.String())
		r.callsEnd("a modern call")
		p.fin()
		// And a call that asks a question, whose handler runs twice.
		s := flyers[len(flyers)-3].sessionClient
		a := r.dial(i % 2)
		a.send(s.message(fmt.Sprintf(
			`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"keep","arguments":{"ask-me":%q}}}`,
			i, who)))
		var events []event
		r.await("the question", func() bool {
			if len(a.got) > 0 {
				events = append(events, s.events(a)...)
			}
			return strings.Contains(line(events), "?who?")
		})
		s.notify((i+1)%2, fmt.Sprintf(
			`{"jsonrpc":"2.0","id":%s,"result":{"action":"accept","content":{"name":%q}}}`,
			askID(events[len(events)-1]), who))
		r.callsEnd("a call that asked")
		a.fin()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.reqs) < 200*6 {
		t.Fatalf("%d requests were kept, want at least 1200", len(k.reqs))
	}
	bad := 0
	for i, req := range k.reqs {
		if is := printOf(req); is != k.was[i] {
			if bad++; bad < 4 {
				t.Errorf("request %d has become\n%.400s\nit was\n%.400s", i, is, k.was[i])
			}
		}
	}
	if bad > 0 {
		t.Errorf("%d of %d requests have changed", bad, len(k.reqs))
	}
}
