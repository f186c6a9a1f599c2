package mcp

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// asker is the Sink of a transport that can ask.
type asker struct {
	recorder
	asks  []Ask
	can   bool
	asked int
}

func (a *asker) Request(asks []Ask) bool {
	if a.responses > 0 {
		a.t.Error("asked behind the response")
	}
	a.asks = asks
	a.asked++
	return a.can
}

func prepareLegacy(t *testing.T, s *Server, caps, members string) *Call {
	t.Helper()
	var m jsonrpc.Envelope
	if err := m.Decode([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{` + members + `}}`)); err != nil {
		t.Fatal(err)
	}
	call := new(Call)
	info := &SessionInfo{Revision: "2025-11-25", Capabilities: capabilityBits([]byte(caps))}
	if e := s.Prepare(call, &m, &RequestMeta{Session: info}); e != nil {
		t.Fatal(e)
	}
	return call
}

// A handler written for input_required works without change where the server sends requests.
func TestAskByRequests(t *testing.T) {
	s := newTestServer(t, nil)
	addAsker(s)
	call := prepareLegacy(t, s, formCaps, `"name":"ask"`)
	w := &asker{recorder: recorder{t: t}, can: true}
	call.Run(t.Context(), w)
	if w.responses != 0 || len(w.asks) != 1 || w.asks[0].Key != "user_name" || w.asks[0].Method != "elicitation/create" || !strings.Contains(string(w.asks[0].Params), "What is your name?") {
		t.Fatalf("%d responses, asked %+v", w.responses, w.asks)
	}
	done := make(chan struct{})
	go func() { // the answers come on another goroutine
		defer close(done)
		call.Resume(t.Context(), w, []byte(`{"user_name":{"action":"decline"}}`))
		call.Resume(t.Context(), w, []byte(`{"user_name":{"action":"accept","content":{"name":"Ada"}}}`))
		call.Resume(t.Context(), w, []byte(`{}`)) // nothing is asked any more
	}()
	<-done
	if w.asked != 2 || w.responses != 1 || !strings.Contains(w.body, "Hello, Ada! (step 1)") {
		t.Errorf("asked %d times, %d responses: %s", w.asked, w.responses, w.body)
	}
}

func TestAskRefused(t *testing.T) {
	s := newTestServer(t, nil)
	addAsker(s)
	AddTool(s, &Tool{Name: "unwritable"}, func(context.Context, *CallToolRequest, struct{}) (*CallToolResult, any, error) {
		return &CallToolResult{InputRequests: InputRequestMap{"a": &ElicitParams{RequestedSchema: func() {}}}}, nil, nil
	})
	AddTool(s, &Tool{Name: "busy"}, func(context.Context, *CallToolRequest, struct{}) (*CallToolResult, any, error) {
		return &CallToolResult{InputRequests: InputRequestMap{}}, nil, nil
	})
	for _, tt := range []struct {
		why, tool string
		caps      string
		sink      Sink
		code      jsonrpc.Code
	}{
		{"a transport that cannot ask", "ask", formCaps, &recorder{t: t}, -32603},
		{"a transport that cannot ask now", "ask", formCaps, &asker{recorder: recorder{t: t}}, -32603},
		{"a client that cannot answer", "ask", `{}`, &asker{recorder: recorder{t: t}, can: true}, -32021},
		{"a question that cannot be written", "unwritable", formCaps, &asker{recorder: recorder{t: t}, can: true}, -32603},
		{"no question", "busy", formCaps, &asker{recorder: recorder{t: t}, can: true}, -32603},
	} {
		prepareLegacy(t, s, tt.caps, `"name":"`+tt.tool+`"`).Run(t.Context(), tt.sink)
		r, ok := tt.sink.(*recorder)
		if !ok {
			r = &tt.sink.(*asker).recorder
		}
		if r.responses != 1 || r.code != tt.code {
			t.Errorf("%s: %d responses, code %d", tt.why, r.responses, r.code)
		}
	}
}

// A client whose answers never satisfy the handler is not asked forever.
func TestAskEnds(t *testing.T) {
	s := newTestServer(t, nil)
	addAsker(s)
	call := prepareLegacy(t, s, formCaps, `"name":"ask"`)
	w := &asker{recorder: recorder{t: t}, can: true}
	call.Run(t.Context(), w)
	for w.responses == 0 && w.asked < 100 {
		call.Resume(t.Context(), w, []byte(`{"user_name":{"action":"cancel"}}`))
	}
	if w.asked != maxAskRounds || w.responses != 1 || w.code != -32603 {
		t.Errorf("asked %d times, %d responses, code %d", w.asked, w.responses, w.code)
	}
	var e struct{ Error struct{ Code int } }
	if err := json.Unmarshal([]byte(w.body), &e); err != nil {
		t.Error(err)
	}
}
