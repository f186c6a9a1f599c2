package server

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A handler may wait for the answers to its questions, in a session. It keeps its worker.
func TestHandlersWaitForAnswers(t *testing.T) {
	for _, rev := range []string{"2025-11-25", "2025-06-18"} {
		r := newPort(t, nil)
		s := r.initialize(rev)
		p := r.dial(0)
		s.play(p, "1", "a")
		r.cue("a", "wait 2")
		asks := s.until("the first question", p, "?question 0")
		if r.s.calls.Load() != 1 || p.c.x.job.legacy.phase != phaseRunning {
			t.Errorf("%d calls, phase %v", r.s.calls.Load(), p.c.x.job.legacy.phase)
		}
		s.notify(1, answerBody(`"ask-zzz"`, "accept"))
		p.wantNothing("an answer to another question")
		s.notify(1, answerBody(askID(asks[len(asks)-1]), "accept"))
		s.notify(1, answerBody(askID(asks[len(asks)-1]), "cancel")) // too late
		asks = s.until("the second question", p, "?question 1")
		s.notify(0, answerBody(askID(asks[len(asks)-1]), "decline"))
		s.wantTold("all answered", p, "=q0=accept q1=decline, END")
		r.callsEnd("the call")
		r.wait(70 * time.Second)
		r.wantNothingHeld("after all")
	}
}

// What ends the waiting without an answer.
func TestWaitingEnds(t *testing.T) {
	for _, tt := range []struct {
		why  string
		do   func(r *port, s *sessionClient, ask string)
		want string // "" if there is no client for it
	}{
		{"an error", func(r *port, s *sessionClient, ask string) {
			s.notify(1, fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":-1,"message":"no mood"}}`, ask))
		}, "=error: no mood"},
		{"no object", func(r *port, s *sessionClient, ask string) {
			s.notify(1, fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":7}`, ask))
		}, "=error: mcp: the client's answer is not a result of the method"},
		{"never", func(r *port, s *sessionClient, ask string) { r.wait(31 * time.Second) }, "the call took longer"},
		{"cancelled", func(r *port, s *sessionClient, ask string) {
			s.notify(1, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
		}, ""},
		{"deleted", func(r *port, s *sessionClient, ask string) { s.delete(1, 204) }, ""},
		{"drained", func(r *port, s *sessionClient, ask string) {
			for _, l := range r.loops {
				l.startDrain(&drainOrder{})
			}
			r.run()
		}, "=error: server: the server is shutting down"},
	} {
		r := newPort(t, &Options{CallTimeout: 30 * time.Second, Heartbeat: time.Minute, ReplayAge: 10 * time.Second})
		s := r.initialize("2025-11-25")
		p := r.dial(0)
		s.play(p, "1", "a")
		r.cue("a", "wait 1")
		asks := s.until("asked", p, "?question 0")
		before := runtime.NumGoroutine()
		tt.do(r, s, askID(asks[len(asks)-1]))
		r.callsEnd(tt.why)
		if tt.want != "" {
			if got := line(s.until(tt.why, p, "END")); !strings.Contains(got, tt.want) {
				t.Errorf("%s: got %q, want %q", tt.why, got, tt.want)
			}
		}
		if after := runtime.NumGoroutine(); after > before+1 {
			t.Errorf("%s: %d goroutines, %d before", tt.why, after, before)
		}
		if p := r.dial(1); tt.why != "deleted" && tt.why != "drained" { // too late: nobody waits any more
			p.send(s.message(answerBody(askID(asks[len(asks)-1]), "accept")))
			p.wantResponse("an answer after the end", 202)
		}
		r.wait(20 * time.Second)
		r.wantNothingHeld(tt.why)
	}
}

// A client that disconnected while a handler waits for it reconnects, reads the question again and
// answers.
func TestWaitingOutlivesAConnection(t *testing.T) {
	r := newPort(t, nil)
	s := r.initialize("2025-11-25")
	p := r.dial(0)
	s.play(p, "1", "a")
	r.cue("a", "go", "wait 1")
	all := s.until("asked", p, "?question 0")
	p.fin()
	q := s.get(1, all[0].id)
	all = s.until("asked again", q, "?question 0")
	s.notify(0, answerBody(askID(all[len(all)-1]), "accept"))
	s.wantTold("answered", q, "=q0=accept, END")
	r.callsEnd("the call")
	r.wait(70 * time.Second)
	r.wantNothingHeld("after all")
}

// Where no request can be sent, the handler gets an error.
func TestNobodyToWaitFor(t *testing.T) {
	r := newPort(t, nil)
	s := r.initialize("2025-03-26")
	r.cue("a", "wait 1")
	p := r.dial(0)
	p.send(s.message("[" + playBody("1", "a") + "]"))
	r.await("answered", func() bool { return strings.Contains(string(p.got), "error: mcp: ") })
	r.callsEnd("all")
}
