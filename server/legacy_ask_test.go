package server

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Questions go to the stream of their call, answers come as POSTs on any connection, in any
// order, and no goroutine waits for them.
func TestAsks(t *testing.T) {
	for _, rev := range []string{"2025-11-25", "2025-06-18"} {
		r := newPort(t, nil)
		s := r.initialize(rev)
		g := s.get(1, "")
		s.wantTold("the session's own stream", g, "")
		p := r.dial(0)
		s.play(p, "1", "a")
		r.cue("a", "ask 3")
		var all []event
		r.await("the questions", func() bool {
			if len(p.got) > 0 {
				all = append(all, s.events(p)...)
			}
			return strings.Count(line(all), "?") == 3
		})
		asks := all[len(all)-3:]
		if line(asks) != "?question 0, ?question 1, ?question 2" {
			t.Fatalf("asked %q", line(asks))
		}
		r.await("the call is parked", func() bool { return p.c.x.job.legacy.phase == phaseParked })
		if r.s.calls.Load() != 1 || len(r.loops[0].workers.idle) == 0 && !playForwarded {
			t.Errorf("%d calls, %d idle workers: a call that waits holds one", r.s.calls.Load(), len(r.loops[0].workers.idle))
		}
		s.notify(1, answerBody(askID(asks[2]), "decline"))
		s.notify(1, answerBody(askID(asks[2]), "accept")) // twice: the first counts
		s.notify(0, answerBody(`"ask-zzz"`, "accept"))
		s.notify(0, answerBody(askID(asks[0]), "cancel"))
		p.wantNothing("one answer is missing")
		s.notify(1, answerBody(askID(asks[1]), "decline")+strings.Repeat(" ", 0))
		s.wantTold("all answered", p, "=q0=cancel q1=decline q2=decline, END")
		g.wantNothing("the session's own stream")
		p.wantStays("the connection serves on")
		r.callsEnd("the call")
		r.wait(70 * time.Second)
		g.fin()
		r.wantNothingHeld("after all")
	}
}

// An answer may be long, and is then decoded by a worker.
func TestBigAnswer(t *testing.T) {
	r := newPort(t, nil)
	s := r.initialize("2025-11-25")
	p := r.dial(0)
	s.play(p, "1", "a")
	r.cue("a", "ask 1")
	asks := s.until("asked", p, "?question 0")
	q := r.dial(1)
	q.send(s.message(answerBody(askID(asks[len(asks)-1]), "accept") + strings.Repeat(" ", bigContent)))
	r.await("taken", func() bool { return len(q.got) > 0 })
	q.wantResponse("taken", 202)
	s.wantTold("answered", p, "=q0=accept, END")
	// So may a cancellation, a request and initialize.
	s.play(p, "2", "a")
	q.send(s.message(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}` + strings.Repeat(" ", bigContent)))
	r.wantCause("big cancellation", errCancelled)
	q.take()
	q.send(s.message(playBody("3", "a") + strings.Repeat(" ", bigContent)))
	r.cue("a", "end")
	r.await("a big call", func() bool { return strings.Contains(string(q.got), "the end of a") })
	q.take()
	q.send(post("", "", initializeBody("2025-11-25")+strings.Repeat(" ", bigContent)))
	r.await("a big initialize", func() bool { return len(q.got) > 0 })
	if q.wantResponse("a big initialize", 200).head.Get("Mcp-Session-Id") == "" {
		t.Error("no session")
	}
	r.callsEnd("all")
}

// What ends a call that waits for its client: an error for an answer, its time, a cancellation,
// the end of its session, the end of the server.
func TestAsksEnd(t *testing.T) {
	for _, tt := range []struct {
		why  string
		do   func(r *port, s *sessionClient, ask string)
		want string
	}{
		{"an error", func(r *port, s *sessionClient, ask string) {
			s.notify(1, fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":-1,"message":"no mood"}}`, ask))
		}, "=the client did not answer: no mood"},
		{"no object", func(r *port, s *sessionClient, ask string) {
			s.notify(1, fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":7}`, ask))
		}, "=the client did not answer: "},
		{"never", func(r *port, s *sessionClient, ask string) { r.wait(31 * time.Second) }, "=the client did not answer: the call took longer"},
		{"cancelled", func(r *port, s *sessionClient, ask string) {
			s.notify(1, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
		}, "=the client did not answer: the call was cancelled"},
		{"deleted", func(r *port, s *sessionClient, ask string) { s.delete(1, 204) }, "=the client did not answer: the call was cancelled"},
		{"drained", func(r *port, s *sessionClient, ask string) {
			for _, l := range r.loops {
				l.startDrain(&drainOrder{})
			}
			r.run()
		}, "=the client did not answer: the server is shutting down"},
	} {
		for _, gone := range []bool{false, true} {
			r := newPort(t, &Options{CallTimeout: 30 * time.Second, Heartbeat: time.Minute, ReplayAge: 10 * time.Second})
			s := r.initialize("2025-11-25")
			p := r.dial(0)
			s.play(p, "1", "a")
			r.cue("a", "ask 1")
			asks := s.until("asked", p, "?question 0")
			j := p.c.x.job
			r.await("parked", func() bool { return j.legacy.phase == phaseParked })
			before := runtime.NumGoroutine()
			if gone {
				p.fin()
			}
			tt.do(r, s, askID(asks[len(asks)-1]))
			r.callsEnd(tt.why)
			if !gone {
				if got := line(s.until(tt.why, p, "END")); !strings.HasPrefix(got, tt.want) {
					t.Errorf("%s: got %q, want %q", tt.why, got, tt.want)
				}
			} else if tt.why != "deleted" && tt.why != "drained" {
				q := s.get(1, last(asks))
				if got := line(s.until(tt.why, q, "END")); !strings.HasPrefix(got, tt.want) {
					t.Errorf("%s, client gone: got %q, want %q", tt.why, got, tt.want)
				}
			}
			if after := runtime.NumGoroutine(); after > before+1 {
				t.Errorf("%s: %d goroutines, %d before", tt.why, after, before)
			}
			if p := r.dial(1); tt.why != "deleted" { // too late: nobody waits any more
				p.send(s.message(answerBody(askID(asks[len(asks)-1]), "accept")))
				p.wantResponse("an answer after the end", 202)
			}
			r.wait(20 * time.Second)
			r.wantNothingHeld(tt.why)
		}
	}
}

// A client that disconnected while it was asked reconnects, reads the question again and answers.
func TestAskedAgainAfterAReconnect(t *testing.T) {
	r := newPort(t, nil)
	s := r.initialize("2025-11-25")
	p := r.dial(0)
	s.play(p, "1", "a")
	r.cue("a", "one")
	events := s.wantTold("begin", p, "PRIME, one")
	p.fin()
	r.cue("a", "ask 1")
	r.await("the question is kept", func() bool { return s.kept() == 2 })
	q := s.get(1, last(events))
	asks := s.wantTold("the question", q, "?question 0")
	s.notify(0, answerBody(askID(asks[0]), "accept"))
	s.wantTold("the rest", q, "=q0=accept, END")
	// A client that left before it got anything cannot resume, and is not waited for.
	p = r.dial(0)
	s.play(p, "2", "b")
	p.fin()
	r.cue("b", "ask 1")
	r.callsEnd("nobody to ask")
	r.wait(70 * time.Second)
	r.wantNothingHeld("after all")
}

// A question that cannot be sent is an error at once: the client takes no stream, or did not
// declare that it answers.
func TestCannotAsk(t *testing.T) {
	r := newPort(t, nil)
	s := r.initialize("2025-11-25")
	p := r.dial(0)
	p.send(s.message(playBody("1", "a"), "Accept: application/json"))
	r.cue("a", "ask 1")
	r.await("an error", func() bool { return len(p.got) > 0 })
	if res := p.wantResponse("no stream", 200); !strings.Contains(res.body, "cannot be asked") {
		t.Error(res.body)
	}
	old := r.initialize("2025-03-26") // knows no elicitation
	old.play(p, "1", "b")
	r.cue("b", "ask 1")
	r.await("an error", func() bool { return len(p.got) > 0 })
	if got := p.take(); !strings.Contains(got, `"error"`) {
		t.Error(got)
	}
	s.play(p, "2", "c")
	r.cue("c", fmt.Sprint("ask ", maxAsks+1))
	r.await("too many", func() bool { return len(p.got) > 0 })
	if got := p.take(); !strings.Contains(got, "cannot be asked") {
		t.Error(got)
	}
	r.callsEnd("all")
	r.wantNothingHeld("after all")
}

// L10: notifications/cancelled, from any connection, ends the call of that id in that session and
// no other.
func TestCancelFromAnotherConnection(t *testing.T) {
	r := newPort(t, nil)
	s, other := r.initialize("2025-11-25"), r.initialize("2025-11-25")
	p, q := r.dial(0), r.dial(1)
	s.play(p, "1", "a")
	other.play(q, "1", "b")
	cancel := func(id string) string {
		return `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":` + id + `}}`
	}
	s.notify(1, cancel("2"))
	s.notify(1, cancel(`"1"`))
	s.notify(1, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{}}`)
	s.notify(1, `{"jsonrpc":"2.0","method":"notifications/cancelled"}`)
	r.wantHarmony("nothing is cancelled")
	if len(r.causes) > 0 || r.s.calls.Load() != 2 {
		t.Fatal("another call was cancelled")
	}
	s.notify(1, cancel("1"))
	r.wantCause("cancelled", errCancelled)
	r.await("the connection is free", func() bool { return len(p.got) > 0 })
	p.wantResponse("an answer, to nobody's interest", 200)
	s.notify(0, cancel("1"))
	r.cue("b", "end")
	r.await("the other one", func() bool { return len(q.got) > 0 })
	if res := q.wantResponse("the other session's", 200); !strings.Contains(res.body, "the end of b") {
		t.Error(res.body)
	}
	// A late order does not reach the call that has the job by now.
	j := r.loops[0].jobs[len(r.loops[0].jobs)-1]
	s.play(p, "5", "a")
	if p.c.x.job != j {
		t.Fatal("not the job that was used before")
	}
	for _, kind := range []itemKind{itemCancel, itemCloseStream, itemAnswer} {
		j.loop.postItem(item{kind: kind, job: j, gen: j.gen - 1})
	}
	r.cue("a", "end")
	r.await("the call", func() bool { return len(p.got) > 0 })
	if res := p.wantResponse("untouched", 200); !strings.Contains(res.body, "the end of a") || res.stream {
		t.Error(res.body)
	}
	r.callsEnd("all")
	r.wantNothingHeld("after all")
}

// A handler that panics is one answer, in JSON or as the end of its stream.
func TestSessionPanic(t *testing.T) {
	r := newPort(t, nil)
	s := r.initialize("2025-11-25")
	if got := s.call("tools/call", `"name":"panics","arguments":{}`); !strings.Contains(got, "-32603") {
		t.Error(got)
	}
	r.callsEnd("the call")
	r.wantNothingHeld("after a panic")
}
