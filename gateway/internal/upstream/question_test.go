package upstream

import (
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

const allClasses = ClassForms | ClassURLs | ClassSampling | ClassSamplingTools | ClassRoots

// asks sends a request of the upstream.
func (l *fakeLink) asks(on int64, id, method, params string) {
	l.says(on, `{"jsonrpc":"2.0","id":`+id+`,"method":"`+method+`","params":`+params+`}`)
}

// wantAnswer checks the newest message of the link, a response.
func (l *fakeLink) wantAnswer(why, want string) {
	l.h.t.Helper()
	m := l.got[len(l.got)-1]
	if m.Kind != link.Response || string(m.Body) != want {
		l.h.t.Errorf("%s: sent %s, want %s", why, m.Body, want)
	}
}

const noMethod = `"error":{"code":-32601,"message":"Method not found"}}`

func TestQuestion(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.connect()
		f := h.call(as("ann", "", allClasses))
		l := h.last()
		m := l.only("tools/call")
		l.asks(m.ID, `"q 1"`, "elicitation/create", `{"message":"name?"}`)
		l.asks(m.ID, `7`, "roots/list", `{}`)
		l.asks(m.ID, `8`, "sampling/createMessage", `{"messages":[]}`)
		if len(f.questions) != 3 {
			t.Fatalf("%d questions", len(f.questions))
		}
		q, r := f.questions[0], f.questions[1]
		if q.Method != "elicitation/create" || string(q.Params) != `{"message":"name?"}` || q.Key == r.Key {
			t.Errorf("question %s %s %s", q.Key, q.Method, q.Params)
		}
		if !q.Answer([]byte("{\"action\":\"accept\",\n\"content\":{}}")) || q.Answer(nil) {
			t.Error("an answer is accepted once")
		}
		l.wantAnswer("form", `{"jsonrpc":"2.0","id":"q 1","result":{"action":"accept", "content":{}}}`)
		r.Refuse(-1, "no roots")
		l.wantAnswer("roots", `{"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":"no roots"}}`)
		l.result(m.ID, `{"ok":1}`)
		f.wantResult("with a question open", `{"ok":1}`)
		if f.questions[2].Answer(nil) {
			t.Error("an answer after the end is accepted")
		}
	})
}

// TestUndeclaredQuestion checks that nobody is asked what it has not declared, or what belongs to
// no call.
func TestUndeclaredQuestion(t *testing.T) {
	for _, tt := range []struct {
		name   string
		opts   Options
		k      Class
		method string
		params string
		stray  bool // not on the stream of the call
		asked  bool
	}{
		{"not declared", Options{}, ClassRoots, "elicitation/create", `{}`, false, false},
		{"URL", Options{}, ClassForms, "elicitation/create", `{"mode":"url"}`, false, false},
		{"URL declared", Options{}, ClassURLs, "elicitation/create", `{"mode":"url"}`, false, true},
		{"tools", Options{}, ClassSampling, "sampling/createMessage", `{"tools":[]}`, false, false},
		{"tasks", Options{}, allClasses, "tasks/list", `{}`, false, false},
		{"stream of the session", Options{}, allClasses, "roots/list", `{}`, true, false},
		{"stream of a client's session", Options{Share: ShareClient}, allClasses, "roots/list", `{}`, true, true},
		{"shared child", Options{Stdio: true}, allClasses, "roots/list", `{}`, true, false},
		{"child of a client", Options{Stdio: true, Share: ShareClient}, allClasses, "roots/list", `{}`, true, true},
		{"child with one call", Options{Stdio: true, Concurrency: 1}, allClasses, "roots/list", `{}`, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHarbor(t, tt.opts)
				h.connect()
				f := h.call(as("ann", "1", tt.k))
				h.call(as("ann", "1", tt.k))
				l := h.last()
				on := l.calls("tools/call")[0].ID
				if tt.stray {
					on = 0
				}
				l.asks(on, `1`, tt.method, tt.params)
				if got := len(f.questions) == 1; got != tt.asked {
					t.Errorf("asked: %t", got)
				}
				if !tt.asked {
					l.wantAnswer("nobody is asked", `{"jsonrpc":"2.0","id":1,`+noMethod)
				}
			})
		})
	}
}

// TestQuestionOfModernUpstream checks that a modern upstream, which must not ask, is refused.
func TestQuestionOfModernUpstream(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.modern = true
		h.connect()
		f := h.call(as("", "", allClasses))
		l := h.last()
		l.asks(l.only("tools/call").ID, `1`, "roots/list", `{}`)
		l.wantAnswer("roots", `{"jsonrpc":"2.0","id":1,`+noMethod)
		l.asks(0, `"p"`, "ping", `{}`)
		l.wantAnswer("ping", `{"jsonrpc":"2.0","id":"p","result":{}}`)
		if len(f.questions) != 0 {
			t.Error("the front was asked")
		}
	})
}

func TestQuestionsAreLimited(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.connect()
		f := h.call(as("", "", allClasses))
		l := h.last()
		on := l.only("tools/call").ID
		for i := range maxQuestions + 2 {
			l.asks(on, itoa(int64(i)), "roots/list", `{}`)
		}
		if len(f.questions) != maxQuestions {
			t.Errorf("%d questions", len(f.questions))
		}
		f.questions[3].Cancel()
		l.asks(on, `4`, "roots/list", `{}`)
		l.wantAnswer("an id twice", `{"jsonrpc":"2.0","id":4,"error":{"code":-32600,"message":"Invalid Request: the id is in use"}}`)
	})
}

func TestWithdrawnQuestion(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.connect()
		f := h.call(as("", "", allClasses))
		l := h.last()
		l.asks(l.only("tools/call").ID, `"x"`, "roots/list", `{}`)
		l.says(0, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"y"}}`)
		l.says(0, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"x"}}`)
		if len(f.withdrawn) != 1 || f.questions[0].Answer(nil) {
			t.Errorf("%d withdrawn", len(f.withdrawn))
		}
	})
}

// TestCancelWithQuestion checks that the upstream does not wait for an answer that cannot come.
func TestCancelWithQuestion(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.connect()
		f := h.call(as("", "", allClasses))
		l := h.last()
		l.asks(l.only("tools/call").ID, `1`, "elicitation/create", `{}`)
		n := len(l.got)
		f.call.Cancel("")
		if got := string(l.got[n].Body); got != `{"jsonrpc":"2.0","id":1,"result":{"action":"cancel"}}` {
			t.Errorf("sent %s", got)
		}
		if l.got[n+1].Method != "notifications/cancelled" {
			t.Errorf("sent %s", l.methods())
		}
	})
}

// asking returns a call with an open question, on a link.
func asking(h *harbor, principal string) (*front, *fakeLink) {
	h.t.Helper()
	f := h.call(as(principal, "", allClasses))
	l := f.call.conn.link.(*fakeLink)
	for _, m := range l.calls("tools/call") {
		if m.ID == f.call.id {
			l.asks(m.ID, itoa(100+m.ID), "elicitation/create", `{}`)
		}
	}
	if len(f.questions) != 1 {
		h.t.Fatalf("%d questions", len(f.questions))
	}
	return f, l
}

func TestPark(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.connect()
		f, l := asking(h, "ann")
		m := l.only("tools/call")
		token, ok := f.call.Park(time.Now().Add(time.Minute))
		if !ok || len(token) < 20 {
			t.Fatalf("parked %t, token %q", ok, token)
		}
		if _, again := f.call.Park(time.Now().Add(time.Minute)); again {
			t.Error("parked twice")
		}
		l.says(m.ID, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}`)
		l.asks(m.ID, `"more"`, "roots/list", `{}`)
		g := &front{t: t}
		for _, wrong := range [][2]string{{token, "bob"}, {"x", "ann"}, {"", ""}} {
			if _, _, ok := h.s.Unpark(wrong[0], wrong[1], g); ok {
				t.Errorf("unparked with %q by %q", wrong[0], wrong[1])
			}
		}
		c, questions, ok := h.s.Unpark(token, "ann", g)
		g.call = c
		if !ok || len(questions) != 2 || c != f.call {
			t.Fatalf("unparked %t with %d questions", ok, len(questions))
		}
		if _, _, twice := h.s.Unpark(token, "ann", g); twice {
			t.Error("unparked twice")
		}
		if !questions[0].Answer([]byte(`{"action":"accept"}`)) || !questions[1].Answer([]byte(`{"roots":[]}`)) {
			t.Error("answers were refused")
		}
		l.result(m.ID, `{"ok":1}`)
		g.wantResult("the retry", `{"ok":1}`)
		if f.ends != 0 || len(f.questions) != 1 {
			t.Errorf("the first front: %d ends, %d questions", f.ends, len(f.questions))
		}
	})
}

func TestParkedCallExpires(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.connect()
		f, l := asking(h, "ann")
		m := l.only("tools/call")
		token, _ := f.call.Park(time.Now().Add(time.Minute))
		h.after(time.Minute + time.Second)
		l.wantAnswer("expired", `{"jsonrpc":"2.0","id":`+itoa(100+m.ID)+`,"result":{"action":"cancel"}}`)
		if _, _, ok := h.s.Unpark(token, "ann", f); ok {
			t.Error("unparked after its time")
		}
		l.asks(m.ID, `5`, "elicitation/create", `{}`)
		l.wantAnswer("another question", `{"jsonrpc":"2.0","id":5,"result":{"action":"cancel"}}`)
		l.result(m.ID, `{}`)
		if st := h.s.State(); f.ends != 0 || st.InFlight != 0 || st.Parked != 0 || st.Counts.ParkExpired != 1 {
			t.Errorf("%d ends, %+v", f.ends, st)
		}
	})
}

// TestParkedCallEnds checks that the end of a parked call waits for its retry.
func TestParkedCallEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.connect()
		f, l := asking(h, "ann")
		token, _ := f.call.Park(time.Now().Add(time.Minute))
		l.result(l.only("tools/call").ID, `{"early":1}`)
		g := &front{t: t, call: f.call}
		if _, _, ok := h.s.Unpark(token, "ann", g); !ok {
			t.Fatal("not unparked")
		}
		g.wantResult("kept", `{"early":1}`)
	})
}

func TestParkIsLimited(t *testing.T) {
	bubble(t, func(t *testing.T) {
		open := newHarbor(t, Options{MaxParked: 3, MaxParkedPerPrincipal: 2}) // without authentication
		open.connect()
		for i := range 4 {
			if f, _ := asking(open, ""); parks(f) != (i < 3) {
				t.Errorf("call %d without a principal", i)
			}
		}
		h := newHarbor(t, Options{MaxParked: 3, MaxParkedPerPrincipal: 2})
		h.connect()
		var tokens []string
		for i, who := range []string{"ann", "ann", "ann", "bob", "cid"} {
			f, _ := asking(h, who)
			token, ok := f.call.Park(time.Now().Add(time.Minute))
			if want := i != 2 && i != 4; ok != want {
				t.Errorf("%d, %s: parked %t", i, who, ok)
			}
			tokens = append(tokens, token)
		}
		if _, _, ok := h.s.Unpark(tokens[0], "ann", &front{t: t}); !ok {
			t.Error("not unparked")
		}
		if f, _ := asking(h, "ann"); !parks(f) {
			t.Error("no place after one was given back")
		}
	})
}

func parks(f *front) bool {
	_, ok := f.call.Park(time.Now().Add(time.Minute))
	return ok
}

// TestParkedCallFails checks what becomes of parked calls that are cancelled, whose upstream
// leaves, or whose result is too long to be kept.
func TestParkedCallFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.connect()
		a, l := asking(h, "ann")
		parks(a)
		a.call.Cancel("")
		if st := h.s.State(); a.ends != 0 || st.Parked != 0 || st.InFlight != 0 {
			t.Errorf("cancelled: %d ends, %+v", a.ends, st)
		}
		b, _ := asking(h, "ann")
		tb, _ := b.call.Park(time.Now().Add(time.Minute))
		c, _ := asking(h, "ann")
		tc, _ := c.call.Park(time.Now().Add(time.Minute))
		l.result(c.call.id, `{"x":"`+strings.Repeat("x", maxKept)+`"}`)
		l.lose()
		for token, reason := range map[string]link.Reason{tb: link.Lost, tc: link.TooLong} {
			g := &front{t: t}
			if g.call, _, _ = h.s.Unpark(token, "ann", g); g.call == nil {
				t.Fatal("not unparked")
			}
			g.wantReason("after the loss", reason)
		}
	})
}
