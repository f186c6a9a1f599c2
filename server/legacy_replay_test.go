package server

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/server/internal/session"
)

// The whole of resumption: events have ids, a client that lost the connection gets the rest of
// its stream on another, on any loop, and the handler notices nothing.
func TestCallStreamResumes(t *testing.T) {
	for _, rev := range sessionRevisions {
		t.Run(rev, func(t *testing.T) {
			r := newPort(t, nil)
			s := r.initialize(rev)
			p := r.dial(0)
			s.play(p, "1", "a")
			r.cue("a", "one", "two")
			want := "one, two"
			if rev == "2025-11-25" {
				want = "PRIME, " + want // SEP-1699
			}
			events := s.wantTold("the call's stream", p, want)
			p.fin()
			r.cue("a", "three")
			r.await("three is kept", func() bool { return s.kept() == 3 })
			q := s.get(1, last(events))
			s.wantTold("what was missed", q, "three")
			r.cue("a", "four", "end")
			s.wantTold("what comes", q, "four, =the end of a, END")
			if !q.closed {
				t.Error("the stream has ended, the connection not")
			}
			// The answer waits for whoever missed it, from any position, until its time is over.
			for i, e := range events {
				q = s.get(i%2, e.id)
				rest := strings.Join(strings.Split("one, two, three, four, =the end of a, END", ", ")[i-len(events)+3:], ", ")
				s.wantTold("again after "+e.id, q, rest)
				q.fin()
			}
			r.callsEnd("the call")
			r.wait(70 * time.Second)
			r.wantNothingHeld("after the age of the replay")
			q = s.get(0, last(events))
			s.wantTold("unknown by now: a fresh stream", q, "")
			q.wantStays("a fresh stream")
		})
	}
}

// kept returns how many events the newest replay of the session has had.
func (s *sessionClient) kept() (n uint64) {
	for stream := uint64(1); stream < 100; stream++ {
		if at, _, kept := s.port.s.sessions.Remember(s.key(), stream, nil, false, 0); kept {
			n = at
		}
	}
	return n
}

// key returns the key of the session.
func (s *sessionClient) key() session.Key {
	var t session.Ticket
	if !s.port.s.main.openTicket(&t, []byte(s.id), nil) {
		s.t.Fatal("no session")
	}
	return t.Key
}

// D8, F1: nobody gets another's events: not another stream of the session, not another session.
func TestReplayIsNobodyElses(t *testing.T) {
	r := newPort(t, nil)
	s, other := r.initialize("2025-11-25"), r.initialize("2025-11-25")
	p, q, o := r.dial(0), r.dial(1), r.dial(0)
	s.play(p, "1", "a")
	s.play(q, "2", "b")
	other.play(o, "1", "c")
	r.cue("a", "a1", "a2")
	r.cue("b", "b1")
	r.cue("c", "c1")
	a := s.wantTold("a", p, "PRIME, a1, a2")
	b := s.wantTold("b", q, "PRIME, b1")
	other.wantTold("c", o, "PRIME, c1")
	seen := make(map[string]bool)
	for _, e := range append(append([]event(nil), a...), b...) {
		if seen[e.id] {
			t.Errorf("the id %s is there twice in a session", e.id)
		}
		seen[e.id] = true
	}
	thief := other.get(1, a[0].id)
	other.wantTold("another session's id", thief, "")
	thief.wantStays("a fresh stream of its own")
	p.fin()
	p = s.get(1, a[0].id)
	s.wantTold("stream a alone", p, "a1, a2")
	r.cue("b", "b2", "end")
	s.wantTold("b is where it was", q, "b2, =the end of b, END")
	r.cue("a", "end")
	r.cue("c", "end")
	s.wantTold("a", p, "=the end of a, END")
	other.wantTold("c", o, "=the end of c, END")
	thief.take()
	s.delete(0, 204)
	g := other.get(0, a[0].id)
	other.wantTold("after the owner is gone", g, "")
	g.fin()
	r.callsEnd("calls")
	r.wait(70 * time.Second)
	r.wantNothingHeld("after all")
}

// A stream that is resumed while its connection still seems to live moves at once: each message
// is on one stream only, even the last one, made while the order to move is on its way.
func TestResumeTakesOver(t *testing.T) {
	for _, at := range []string{"before the message", "before the answer"} {
		r := newPort(t, nil)
		s := r.initialize("2025-11-25")
		p := r.dial(0)
		s.play(p, "1", "a")
		r.cue("a", "one")
		events := s.wantTold("begin", p, "PRIME, one")
		q := r.dial(1)
		q.deliver(s.getText(last(events))) // its loop has run, the other has not
		if at == "before the answer" {
			r.cue("a", "end")
		} else {
			r.cue("a", "two", "end")
		}
		want := strings.TrimPrefix("two, =the end of a, END", map[bool]string{true: "two, "}[at == "before the answer"])
		s.wantTold(at+", the newcomer", q, want)
		s.wantTold(at+", the old one", p, "END")
		if !p.closed {
			t.Errorf("%s: the old connection stays", at)
		}
		r.callsEnd(at)
		r.wait(2 * 70 * time.Second)
		r.wantNothingHeld(at)
	}
}

// The order in which the loops serve the answer and the move is not ours to choose.
func TestAnswerOvertakesTheMove(t *testing.T) {
	r := newPort(t, nil)
	s := r.initialize("2025-11-25")
	p := r.dial(0)
	s.play(p, "1", "a")
	r.cue("a", "one")
	events := s.wantTold("begin", p, "PRIME, one")
	j := p.c.x.job
	if _, err := r.s.sessions.Resume(s.key(), j.legacy.stream, 1, session.Place{Loop: 2, Slot: 99, Gen: 99}, false, 0); err != nil {
		t.Fatal(err)
	}
	r.cue("a", "end")
	s.wantTold("moved to where nobody is", p, "END")
	r.wantHarmony("no connection waits for an answer that went elsewhere")
	q := s.get(1, last(events))
	s.wantTold("the answer is kept", q, "=the end of a, END")
}

// Streams that take over are closed with their session, and a resumed one counts against the
// bound like any other.
func TestResumedStreamsAreStreams(t *testing.T) {
	r := newPort(t, &Options{MaxStreams: 1})
	s := r.initialize("2025-11-25")
	p := r.dial(0)
	s.play(p, "1", "a")
	r.cue("a", "one")
	events := s.wantTold("begin", p, "PRIME, one")
	p.fin()
	g := s.get(1, "")
	s.wantTold("the session's own", g, "")
	q := s.get(1, last(events))
	if res := q.next("GET"); res.status != 503 {
		t.Fatalf("status %d", res.status)
	}
	q.fin()
	g.fin()
	q = s.get(0, last(events))
	s.wantTold("room again", q, "")
	r.cue("a", "two")
	s.wantTold("nothing was lost by the refusal", q, "two")
	s.delete(1, 204)
	s.wantTold("the session is deleted", q, "END")
	r.wantCause("the call too", errCancelled)
	r.callsEnd("the call")
	r.wantNothingHeld("deleted")
}

// D6: bounds by bytes and count; what is lost makes a fresh stream, never a stream with a hole.
func TestReplayOptions(t *testing.T) {
	for _, o := range []Options{{ReplayEvents: 3}, {ReplayBytes: 500}, {ReplayTotal: 900}} {
		r := newPort(t, &o)
		s := r.initialize("2025-06-18")
		p := r.dial(0)
		s.play(p, "1", "a")
		for i := range 10 {
			r.cue("a", fmt.Sprint("message ", i))
		}
		events := s.until("ten messages", p, "message 9")
		p.fin()
		q := s.get(1, events[0].id)
		s.wantTold("too late: a fresh stream", q, "")
		q.wantStays("a fresh stream")
		q.fin()
		r.cue("a", "end")
		r.callsEnd("the call")
		q = s.get(0, events[8].id)
		s.wantTold("the newest are there", q, "message 9, =the end of a, END")
		q.fin()
		r.wait(2 * time.Minute)
		r.wantNothingHeld("after their age")
	}
}

// SEP-1699: the handler gives the connection back; the client reconnects after retry for the
// answer. Not before 2025-11-25.
func TestCloseStream(t *testing.T) {
	r := newPort(t, nil)
	s := r.initialize("2025-11-25")
	p := r.dial(0)
	s.play(p, "1", "a")
	r.cue("a", "close")
	events := s.wantTold("closed before anything was said", p, "PRIME, RETRY 1500, END")
	p.wantStays("the connection is free for other requests")
	p.send(s.message(`{"jsonrpc":"2.0","id":2,"method":"ping"}`))
	p.wantResponse("ping", 200)
	r.cue("a", "meanwhile")
	q := s.get(1, last(events))
	s.wantTold("back", q, "meanwhile")
	r.cue("a", "close")
	s.wantTold("closed again", q, "RETRY 1500, END")
	r.cue("a", "end")
	r.callsEnd("the call")
	q = s.get(0, last(events))
	s.wantTold("back for the answer", q, "meanwhile, =the end of a, END")
	for _, rev := range []string{"2025-06-18", "2025-03-26"} {
		s := r.initialize(rev)
		p := r.dial(1)
		s.play(p, "1", "b")
		r.cue("b", "close", "open", "end")
		s.wantTold(rev, p, "open, =the end of b, END")
	}
	// A client that takes no stream keeps its connection.
	p = r.dial(0)
	p.send(s.message(playBody("9", "c"), "Accept: application/json"))
	r.cue("c", "close", "end")
	r.await("JSON", func() bool { return len(p.got) > 0 })
	if res := p.wantResponse("JSON", 200); res.stream {
		t.Error("a stream")
	}
	r.callsEnd("calls")
	r.wait(70 * time.Second)
	r.wantNothingHeld("after all")
}

// A call that is silent for long becomes a stream that can be resumed, with a heartbeat.
func TestHeartbeatBeginsAResumableStream(t *testing.T) {
	r := newPort(t, nil)
	s := r.initialize("2025-11-25")
	p := r.dial(0)
	s.play(p, "1", "a")
	r.wait(20 * time.Second)
	events := s.wantTold("a heartbeat", p, "PRIME")
	p.fin()
	r.cue("a", "end")
	r.callsEnd("the call")
	q := s.get(1, last(events))
	s.wantTold("the answer waited", q, "=the end of a, END")
}

// D7: an answer whose connection is gone when it is made is there for a client that reconnects, and
// a call that never said anything leaves nothing behind.
func TestCallsOutliveTheirConnection(t *testing.T) {
	r := newPort(t, nil)
	s := r.initialize("2025-11-25")
	p := r.dial(0)
	s.play(p, "1", "a")
	p.rst()
	r.wantHarmony("gone")
	if n := r.s.loose.Load(); n != 1 {
		t.Errorf("%d calls without a connection", n)
	}
	q := r.dial(1)
	q.send(s.message(playBody(`"1"`, "b")))
	r.cue("a", "end")
	r.cue("b", "end")
	r.callsEnd("both")
	if res := q.wantResponse("an id that only looks like it", 200); !strings.Contains(res.body, "the end of b") {
		t.Error(res.body)
	}
	q.send(s.message(playBody("1", "a")))
	r.cue("a", "end")
	r.callsEnd("the id again")
	q.wantResponse("the id again", 200)
	r.wantNothingHeld("no events, no replay")
	if st := r.s.Stats().Requests[RequestLabels{"tools/call", "ok"}]; st != 3 {
		t.Errorf("%d calls are counted as done, want 3", st)
	}
}

// Clients that call and go do not take the places of all others.
func TestLooseCallsAreBounded(t *testing.T) {
	r := newPort(t, &Options{MaxCalls: 8})
	s := r.initialize("2025-06-18")
	for i := range 8 {
		p := r.dial(i % 2)
		s.play(p, fmt.Sprint(i), "a")
		p.fin()
	}
	r.await("the later half is cancelled", func() bool { return r.s.calls.Load() == 4 })
	for range 4 {
		r.wantCause("by its disconnect", errClientGone)
	}
	r.cue("a", "end", "end", "end", "end")
	r.callsEnd("the rest")
	r.wantNothingHeld("after all")
}

// A call without a connection ends with its time, heeded or not; its answer says so, and is kept.
func TestDetachedCallTimesOut(t *testing.T) {
	r := newPort(t, &Options{CallTimeout: 10 * time.Second})
	s := r.initialize("2025-11-25")
	p, d := r.dial(0), r.dial(1)
	s.play(p, "1", "a")
	s.play(d, "2", "b")
	r.cue("a", "one")
	r.cue("b", "deaf", "two")
	pe, de := s.wantTold("begin", p, "PRIME, one"), s.wantTold("begin", d, "PRIME, two")
	p.fin()
	r.wait(11 * time.Second)
	r.wantCause("its time is over", errCallTimeout)
	const late = "!the call took longer than the server's limit of 10s, END"
	s.wantTold("with a connection", d, late)
	s.wantTold("back for it", s.get(1, last(pe)), late)
	s.wantTold("back for the other, whose handler continues", s.get(1, last(de)), late)
	if n := r.s.calls.Load(); n != 1 {
		t.Errorf("%d calls; a deaf handler keeps its place", n)
	}
	r.cue("b", "unheard", "end")
	r.callsEnd("the deaf one")
	s.wantTold("its answer came too late", s.get(0, last(de)), late)
	st := r.s.Stats().Requests
	if st[RequestLabels{"tools/call", "timeout"}] != 2 || st[RequestLabels{"tools/call", "ok"}] != 0 || st[RequestLabels{"tools/call", "error"}] != 0 {
		t.Errorf("counted %v", st)
	}
	r.wait(70 * time.Second)
	r.wantNothingHeld("after all")
}
