package upstream

import (
	"bytes"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

// A front is the Handler of one call, and remembers what it gets.
type front struct {
	t         tester
	call      *Call
	progress  []string
	messages  []string
	questions []*Question
	withdrawn []*Question
	ends      int
	end       End
	onEnd     func()
}

func (f *front) Progress(p []byte) { f.alive("progress"); f.progress = append(f.progress, string(p)) }
func (f *front) Message(p []byte)  { f.alive("message"); f.messages = append(f.messages, string(p)) }
func (f *front) Question(q *Question) {
	f.alive("question")
	f.questions = append(f.questions, q)
}
func (f *front) Withdrawn(q *Question) {
	f.alive("withdrawn")
	f.withdrawn = append(f.withdrawn, q)
}

func (f *front) End(e *End) {
	f.ends++
	if f.ends > 1 {
		f.t.Errorf("%s has ended %d times", f.call.Params, f.ends)
	}
	f.end = End{Result: bytes.Clone(e.Result), Error: bytes.Clone(e.Error), Err: e.Err, Version: e.Version}
	if f.onEnd != nil {
		f.onEnd()
	}
}

func (f *front) alive(what string) {
	if f.ends > 0 {
		f.t.Errorf("%s after the end", what)
	}
}

// call starts a call of tools/call, changed by the functions, and lets the script see it.
func (h *harbor) call(with ...func(*Call)) *front {
	h.t.Helper()
	f := h.start(with...)
	h.run()
	return f
}

func (h *harbor) start(with ...func(*Call)) *front {
	f := &front{t: h.t}
	f.call = &Call{Method: "tools/call", Params: []byte(`{"name":"x__echo","arguments":{"a": 1}}`), Name: "echo", Replace: "name", Handler: f}
	for _, w := range with {
		w(f.call)
	}
	h.s.Start(f.call)
	return f
}

// connect connects the Server and lets it read its lists.
func (h *harbor) connect() {
	h.t.Helper()
	h.s.Connect()
	h.run()
	h.after(listenWait)
}

// wantResult checks that the call has ended with the result.
func (f *front) wantResult(why, want string) {
	f.t.Helper()
	if f.ends != 1 || string(f.end.Result) != want {
		f.t.Errorf("%s: ends %d, result %s, error %s, %v; want result %s", why, f.ends, f.end.Result, f.end.Error, f.end.Err, want)
	}
}

// wantReason checks that the call has ended with a *link.Error for the reason.
func (f *front) wantReason(why string, want link.Reason) {
	f.t.Helper()
	e, ok := f.end.Err.(*link.Error)
	if f.ends != 1 || !ok || e.Reason != want {
		f.t.Errorf("%s: ends %d, result %s, error %s, %v; want %v", why, f.ends, f.end.Result, f.end.Error, f.end.Err, want)
	}
}
