package mcp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/internal/wirecheck"
	"github.com/mooring-mcp/mooring/jsonrpc"
)

const askForm = `{"mode":"form","message":"name?","requestedSchema":{"type":"object","properties":{"n":{"type":"string"}}}}`

// askingBackend asks in the first round, and says in the second one what came back.
func askingBackend(asks []Ask, state []byte, log *[]string) *fakeBackend {
	return &fakeBackend{
		start: func(f *Forward) {
			said, ok := f.State()
			if f.InputResponses() == nil && !ok {
				*log = append(*log, fmt.Sprint("asked ", f.Ask(asks, state)))
				return
			}
			*log = append(*log, fmt.Sprintf("state %q %v answers %s", said, ok, f.InputResponses()))
			f.Result([]byte(`{"content":[]}`))
		},
		cancel: func(_ *Forward, cause error) { *log = append(*log, "cancelled: "+cause.Error()) },
	}
}

// A question of an upstream reaches the client of every era, and the backend gets the answer and
// what it wanted to remember.
func TestForwardAsk(t *testing.T) {
	asks := []Ask{{"a", askElicitation, []byte(askForm)}, {"b", askRoots, nil}}
	for _, state := range [][]byte{nil, {}, []byte("park 7")} {
		var log []string
		s := forwarding(t, askingBackend(asks, state, &log), nil)
		c := newClient(t, s)
		c.caps = everyCap
		first := c.call("tools/call", `"name":"up__t","arguments":{"x":1}`)
		first.wantResult("asked", `"resultType":"input_required"`, `"a":{"method":"elicitation/create","params":`+askForm+`}`, `"b":{"method":"roots/list","params":{}}`)
		sealed, _ := first.result()["requestState"].(string)
		if (sealed != "") != (state != nil) || strings.Contains(sealed, "park") {
			t.Errorf("state %q: sealed %q", state, sealed)
		}
		answers := `"inputResponses":{"a": {"action":"accept","content":{"n":"x"}},"b":{"roots":[]}}`
		if state != nil {
			answers += fmt.Sprintf(`,"requestState":%q`, sealed)
		}
		c.call("tools/call", `"name":"up__t","arguments":{"x":1},`+answers).wantResult("answered", `"content":[]`)
		want := fmt.Sprintf(`[asked true state %q %v answers {"a": {"action":"accept","content":{"n":"x"}},"b":{"roots":[]}}]`, state, state != nil)
		if fmt.Sprint(log) != want {
			t.Errorf("got  %s\nwant %s", log, want)
		}
		if state == nil {
			continue
		}
		c.call("tools/call", `"name":"up__t","arguments":{"x":2},`+answers).wantError("for another request", jsonrpc.CodeInvalidParams, 400)
		other := upstreamOf(answering(`{}`))
		s.Replace("up", nil)
		s.Replace("other", other)
		c.call("tools/call", `"name":"up__t","arguments":{"x":1},`+answers).wantError("for another upstream", jsonrpc.CodeInvalidParams, 400)
	}
	for _, rev := range []string{"2025-11-25", "2025-06-18"} {
		var log []string
		s := forwarding(t, askingBackend(asks, []byte("park 7"), &log), nil)
		call := prepareForwarded(t, s, rev, everyCap)
		w := &asker{recorder: recorder{t: t}, can: true}
		call.Forward(w)
		if !call.Asking() || w.responses != 0 || len(w.asks) != 2 {
			t.Fatalf("%s: asking %v, %d asks, %s", rev, call.Asking(), len(w.asks), w.body)
		}
		for i := range w.asks {
			wirecheck.Open(t).Message(t, rev, "", AppendAsk(nil, []byte(`"q"`), &w.asks[i]))
		}
		if has := strings.Contains(string(w.asks[0].Params), `"mode"`); has != (rev == "2025-11-25") {
			t.Errorf("%s: asked %s", rev, w.asks[0].Params)
		}
		call.Resume(context.Background(), w, []byte(`{"a":{"action":"decline"},"b":"no roots"}`))
		if w.responses != 1 || fmt.Sprint(log) != `[asked true state "park 7" true answers {"a":{"action":"decline"},"b":"no roots"}]` {
			t.Errorf("%s: %d responses, %s", rev, w.responses, log)
		}
	}
}

// prepareForwarded returns a call of the forwarded tool in a session.
func prepareForwarded(t *testing.T, s *Server, rev, caps string) *Call {
	t.Helper()
	var m jsonrpc.Envelope
	if err := m.Decode([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"up__t"}}`)); err != nil {
		t.Fatal(err)
	}
	r := revisionNamed([]byte(rev))
	c := new(Call)
	if e := s.Prepare(c, &m, &RequestMeta{Session: &SessionInfo{Revision: rev, Capabilities: r.agreed(capabilityBits([]byte(caps)))}}); e != nil {
		t.Fatal(e)
	}
	return c
}

// A client that will not answer, for whatever reason, is known to the backend.
func TestForwardAskAbandoned(t *testing.T) {
	var log []string
	s := forwarding(t, askingBackend([]Ask{{"a", askElicitation, []byte(askForm)}}, nil, &log), nil)
	call := prepareForwarded(t, s, "2025-11-25", everyCap)
	w := &asker{recorder: recorder{t: t}, can: true}
	call.Forward(w)
	call.Abandon(w, "it took too long")
	call.CancelForward(errors.New("again"))
	if w.responses != 1 || fmt.Sprint(log) != "[asked true cancelled: mcp: the client did not answer: it took too long]" {
		t.Errorf("%d responses, %s", w.responses, log)
	}
	log = nil
	call = prepareForwarded(t, s, "2025-11-25", everyCap)
	w = &asker{recorder: recorder{t: t}}
	call.Forward(w)
	if w.responses != 1 || w.code != jsonrpc.CodeInternalError || call.Asking() || fmt.Sprint(log) != "[asked false]" {
		t.Errorf("a transport that cannot ask: %s, %s", w.body, log)
	}
}

// The client is only asked what it has declared, and what its revision can ask.
func TestForwardAskUndeclared(t *testing.T) {
	for _, tt := range []struct {
		why, caps, rev string
		ask            Ask
		code           jsonrpc.Code // 0 if it is asked
		want           string       // in the error or in the question
		answers        bool
	}{
		{"roots", `{}`, modern, Ask{"a", askRoots, nil}, -32021, `{"requiredCapabilities":{"roots":{}}}`, false},
		{"roots", `{}`, "2025-11-25", Ask{"a", askRoots, nil}, -32021, `{"requiredCapabilities":{"roots":{}}}`, false},
		{"a URL", `{"elicitation":{}}`, modern, Ask{"a", askElicitation, []byte(`{"mode":"url","message":"m","url":"https://x.example","elicitationId":"7"}`)}, -32021, `{"elicitation":{"url":{}}}`, false},
		{"a URL", everyCap, modern, Ask{"a", askElicitation, []byte(`{"mode":"url","message":"m","url":"https://x.example","elicitationId":"7"}`)}, 0, `{"mode":"url","message":"m","url":"https://x.example"}`, true},
		{"a URL of a modern upstream", everyCap, "2025-11-25", Ask{"a", askElicitation, []byte(`{"mode":"url","message":"m","url":"https://x.example"}`)}, 0, `"elicitationId":"`, true},
		{"tools", `{"sampling":{}}`, modern, Ask{"a", askSampling, []byte(`{"messages":[],"maxTokens":1,"tools":[{}]}`)}, -32021, `{"sampling":{"tools":{}}}`, false},
		{"no tools", `{"sampling":{}}`, modern, Ask{"a", askSampling, []byte(`{"messages":[],"maxTokens":1,"tools":[]}`)}, 0, `"maxTokens":1`, true},
		{"blocks", `{"sampling":{}}`, "2025-06-18", Ask{"a", askSampling, []byte(`{"messages":[{"role":"user","content":[{"type":"text","text":"1"},{"type":"text","text":"2"}]}],"maxTokens":1}`)}, 0,
			`{"messages":[{"role":"user","content":{"type":"text","text":"1"}},{"role":"user","content":{"type":"text","text":"2"}}],"maxTokens":1}`, true},
		{"blocks", `{"sampling":{}}`, "2025-11-25", Ask{"a", askSampling, []byte(`{"messages":[{"role":"user","content":[{"type":"text","text":"1"}]}],"maxTokens":1,"_meta":{"progressToken":3},"task":{}}`)}, 0,
			`{"messages":[{"role":"user","content":[{"type":"text","text":"1"}]}],"maxTokens":1}`, true},
		{"a list", everyCap, "2025-06-18", Ask{"a", askElicitation, []byte(`{"message":"m","requestedSchema":{"type":"object","properties":{"l":{"type":"array"}}}}`)}, -32603, "cannot be asked", true},
		{"no question", everyCap, modern, Ask{"a", "tools/call", nil}, -32603, "not valid", false},
		{"no params", everyCap, modern, Ask{"a", askRoots, []byte(`7`)}, -32603, "not valid", false},
	} {
		var asked, answers bool
		s := forwarding(t, &fakeBackend{start: func(f *Forward) {
			answers = f.Answers(&tt.ask)
			asked = f.Ask([]Ask{tt.ask}, nil)
		}}, &ServerOptions{Logger: quiet})
		w := &asker{recorder: recorder{t: t}, can: true}
		if tt.rev == modern {
			c := newClient(t, s)
			c.caps = tt.caps
			a := c.call("tools/call", `"name":"up__t"`)
			w.body, w.code = a.body, a.code
		} else if prepareForwarded(t, s, tt.rev, tt.caps).Forward(w); len(w.asks) == 1 {
			w.body = string(w.asks[0].Params)
		}
		if asked != (tt.code == 0) || answers != tt.answers || w.code != tt.code || !strings.Contains(w.body, tt.want) {
			t.Errorf("%s at %s: asked %v, answers %v, code %d, %s\nwant code %d, %s", tt.why, tt.rev, asked, answers, w.code, w.body, tt.code, tt.want)
		}
	}
}

// The questions of a modern upstream go to clients of both eras, and its state comes back to it.
func TestForwardedInputRequired(t *testing.T) {
	var got []string
	rounds := 0
	asks := `{"resultType":"input_required","inputRequests":{"k":{"method":"elicitation/create","params":` + askForm + `}},"requestState":"its \"own\""}`
	s := forwarding(t, &fakeBackend{start: func(f *Forward) {
		rounds++
		state, ok := f.State()
		got = append(got, fmt.Sprintf("%q %v %s", state, ok, f.InputResponses()))
		switch rounds {
		case 1:
			f.Result([]byte(asks))
		case 2: // it wants to be called again
			f.Result([]byte(`{"resultType":"input_required","requestState":"later"}`))
		default:
			f.Result([]byte(`{"resultType":"complete","content":[]}`))
		}
	}}, nil)
	c := newClient(t, s)
	c.caps = everyCap
	members := `"name":"up__t"`
	for i := range 3 {
		a := c.call("tools/call", members)
		members = `"name":"up__t"`
		if state, ok := a.result()["requestState"].(string); ok {
			members += fmt.Sprintf(`,"requestState":%q`, state)
		}
		if i == 0 {
			members += `,"inputResponses":{"k":{"action":"decline"}}`
		}
	}
	want := `["" false  "its \"own\"" true {"k":{"action":"decline"}} "later" true ]`
	if fmt.Sprint(got) != want {
		t.Errorf("modern: got %s, want %s", got, want)
	}
	got, rounds = nil, 0
	call := prepareForwarded(t, s, "2025-11-25", everyCap)
	w := &asker{recorder: recorder{t: t}, can: true}
	call.Forward(w)
	call.Resume(context.Background(), w, []byte(`{"k":{"action":"decline"}}`))
	if fmt.Sprint(got) != want || w.responses != 1 || strings.Contains(w.body, "resultType") {
		t.Errorf("legacy: got %s, want %s; %s", got, want, w.body)
	}
	// An upstream that is never content does not keep a call for ever.
	endless := forwarding(t, answering(`{"resultType":"input_required","requestState":"x"}`), nil)
	call = prepareForwarded(t, endless, "2025-11-25", everyCap)
	w = &asker{recorder: recorder{t: t}, can: true}
	call.Forward(w)
	if w.responses != 1 || !strings.Contains(w.body, "too many rounds") {
		t.Errorf("endless: %s", w.body)
	}
	call = prepareForwarded(t, s, "2025-11-25", everyCap)
	rounds = 0
	w = &asker{recorder: recorder{t: t}, can: true}
	call.Run(t.Context(), w) // as a transport does that waits
	call.Resume(t.Context(), w, []byte(`{"k":{"action":"accept"}}`))
	if w.responses != 1 {
		t.Errorf("run: %d responses", w.responses)
	}
}

// Cancel is called once, after Start, and not after the end.
func TestForwardCancel(t *testing.T) {
	var log []string
	var call *Call
	cause := errors.New("why")
	s := forwarding(t, &fakeBackend{
		start: func(f *Forward) {
			call.CancelForward(cause)
			log = append(log, "started")
		},
		cancel: func(f *Forward, err error) {
			log = append(log, err.Error())
			f.Error(errInternal)
			call.CancelForward(cause)
		},
	}, nil)
	call = prepareForwarded(t, s, "2025-11-25", `{}`)
	w := &recorder{t: t}
	call.Forward(w)
	call.CancelForward(cause)
	if fmt.Sprint(log) != "[started why]" || w.responses != 1 {
		t.Errorf("got %s, %d responses", log, w.responses)
	}
	waits := forwarding(t, &fakeBackend{start: func(*Forward) {}, cancel: func(f *Forward, err error) { f.Error(&jsonrpc.Error{Code: -1, Message: err.Error()}) }}, nil)
	call = prepareForwarded(t, waits, "2025-11-25", `{}`)
	w = &recorder{t: t}
	ctx, stop := context.WithCancelCause(t.Context())
	stop(cause)
	call.Run(ctx, w)
	if !strings.Contains(w.body, `"why"`) {
		t.Errorf("run: %s", w.body)
	}
	for name, b := range map[string]*fakeBackend{
		"panics in Start":  {start: func(*Forward) { panic("overboard") }},
		"panics in Cancel": {start: func(*Forward) {}, cancel: func(*Forward, error) { panic("overboard") }},
	} {
		s := forwarding(t, b, &ServerOptions{Logger: quiet})
		call = prepareForwarded(t, s, "2025-11-25", `{}`)
		w = &recorder{t: t}
		call.Forward(w)
		call.CancelForward(cause)
		if w.responses != 1 || w.code != jsonrpc.CodeInternalError {
			t.Errorf("%s: %d responses, %s", name, w.responses, w.body)
		}
	}
}
