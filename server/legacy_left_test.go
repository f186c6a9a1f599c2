package server

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
)

// A call that lost its slow client no longer counts what waited there: a client that reconnects
// with Last-Event-ID gets what the call says from then on, however the connection was lost.
func TestDetachedCallForgetsItsPeer(t *testing.T) {
	for _, way := range []string{"fin", "rst", "closed by its handler", "resumed on its loop", "resumed on another loop", "full on its way"} {
		t.Run(way, func(t *testing.T) {
			r := newPort(t, &Options{MaxUnsent: 4 << 10, WriteTimeout: time.Hour})
			asked, told := make(chan string), make(chan error)
			mcp.AddTool(r.ms, &mcp.Tool{Name: "pour"}, func(ctx context.Context, req *mcp.CallToolRequest, _ noIn) (*mcp.CallToolResult, any, error) {
				for say := range asked {
					if say == "close" {
						req.Session.CloseSSEStream(mcp.CloseSSEStreamArgs{})
						told <- nil
						continue
					}
					told <- req.Session.Log(ctx, &mcp.LoggingMessageParams{Level: "info", Data: say})
				}
				return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "poured"}}}, nil, nil
			})
			r.tell()
			s := r.initialize("2025-11-25")
			p := r.dial(0)
			p.send(s.message(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pour","arguments":{}}}`))
			say := func(text string) error {
				asked <- text
				return <-told
			}
			if err := say("first"); err != nil {
				t.Fatal(err)
			}
			begin := s.wantTold("the stream begins", p, "PRIME, first")
			p.slow(0)
			n := 0
			for ; say(strings.Repeat("x", 500)) == nil; n++ {
				if way != "full on its way" {
					r.run()
				}
			}
			if n == 0 || n > 10 {
				t.Fatalf("%d messages for a client that does not read", n)
			}
			var g *fakePeer
			switch way {
			case "fin":
				p.fin()
			case "rst":
				p.rst()
			case "closed by its handler":
				_ = say("close")
				r.run()
			case "full on its way":
				p.onClose(io.EOF)
				r.run()
			default:
				g = s.get(strings.Count(way, "another"), last(begin))
			}
			r.run()
			r.wantHarmony(way)
			for i := range 20 {
				if err := say(fmt.Sprint("more ", i)); err != nil {
					t.Fatalf("message %d after the connection was lost: %v", i, err)
				}
				r.run()
			}
			close(asked)
			if g == nil {
				r.callsEnd("the call")
				g = s.get(1, last(begin))
			}
			events := s.until("the rest", g, "END")
			if got := line(events); !strings.HasSuffix(got, "more 18, more 19, =poured, END") || len(events) != n+22 {
				t.Errorf("%d events: %s", len(events), got)
			}
			r.callsEnd("all")
		})
	}
}

// A message of a session that a worker decodes is served although its client leaves meanwhile: a
// call continues like any other without its connection, and a message that is not a call has its
// effect.
func TestClientLeavesWhileItsMessageIsPrepared(t *testing.T) {
	long := strings.Repeat(" ", bigContent)
	leave := func(p *fakePeer, text string) {
		p.deliver(text)
		if p.c.state != connStateCall || !p.c.x.job.preparing {
			t.Fatalf("state %v: the message is not being prepared", p.c.state)
		}
		p.onClose(io.EOF)
		p.r.run()
	}
	for _, rev := range sessionRevisions {
		r := newPort(t, nil)
		s := r.initialize(rev)
		leave(r.dial(0), s.message(playBody("1", "a")+long))
		r.await("it runs", func() bool { return r.callsOf(s) == 1 })
		r.cue("a", "unheard", "end")
		r.callsEnd("a call")
		if n := r.s.Stats().Requests[RequestLabels{"tools/call", "ok"}]; n != 1 {
			t.Errorf("%s: %d calls ran to their end", rev, n)
		}
		leave(r.dial(1), s.message(playBody("1", "a")+long))
		r.await("it runs", func() bool { return r.callsOf(s) == 1 })
		leave(r.dial(1), s.message(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`+long))
		r.wantCause("cancelled by a client that left", errCancelled)
		leave(r.dial(0), s.message(`{"jsonrpc":"2.0","id":2,"method":"logging/setLevel","params":{"level":"error"}}`+long))
		r.await("a level", func() bool { return r.s.sessions.Stats().Sessions == 1 && r.s.calls.Load() == 0 })
		leave(r.dial(0), s.message(`{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":2}}}`+long))
		leave(r.dial(0), s.message(`{"jsonrpc":"2.0","id":4,"method":"tools/fly"}`+long))
		leave(r.dial(0), s.message(`{`+long))
		leave(r.dial(0), post("", "", initializeBody(rev)+long))
		r.callsEnd("the rest")
		s.delete(0, 204)
		r.wantNothingHeld("after all")
		// A modern message has no session: its client has cancelled it.
		p := r.connect()
		leave(p, callTool("wait", `{}`).big().String())
		r.callsEnd("a modern call")
		// and initialize, which nobody waits for
		if n := r.s.Stats().Requests[RequestLabels{"tools/call", "cancelled"}] + r.s.Stats().Requests[RequestLabels{"other", "cancelled"}]; n != 2 {
			t.Errorf("%s: %v", rev, r.s.Stats().Requests)
		}
	}
	r := newSSERig(t, nil)
	p := r.openSSE()
	p.initialize("2025-03-26", "")
	for _, body := range []string{sseCall("1", "echo", `{"text":"from afar"}`), sseCall("1", "add", `{"a":20,"b":22}`)} {
		leave(r.connect(), ssePost(p.where, body+long))
		p.methods["1"] = "tools/call"
		p.r.await("the answer", func() bool { return r.s.calls.Load() == 0 && strings.Contains(string(p.got), `"result"`) })
		p.messages()
	}
}

// callsOf returns how many calls s has in flight.
func (r *port) callsOf(s *sessionClient) int {
	return r.s.sessions.InFlight(s.key(), r.l.now)
}

// While a message is prepared no heartbeat makes a stream of its response, which may have to be a
// 202, or to name a session in its head.
func TestNoHeartbeatWhileAMessageIsPrepared(t *testing.T) {
	long := strings.Repeat(" ", bigContent)
	r := newPort(t, &Options{Heartbeat: time.Second, SSEPath: "/sse"})
	s := r.initialize("2025-11-25")
	stream := r.flyerSSE("2024-11-05")
	for _, c := range []struct {
		why, text string
		status    int
	}{
		{"a notification", s.message(`{"jsonrpc":"2.0","method":"notifications/initialized"}` + long), 202},
		{"an answer", s.message(answerBody(`"ask-x"`, "accept") + long), 202},
		{"initialize", post("", "", initializeBody("2025-11-25")+long), 200},
		{"a refusal", s.message(`{"jsonrpc":"2.0","id":1}` + long), 400},
		{"an inline call", s.message(fmt.Sprintf(pingBody, 1) + long), 200},
		{"a modern notification", request{method: "notifications/cancelled", id: "-"}.big().String(), 202},
		{"HTTP+SSE", stream.messageOn(fmt.Sprintf(pingBody, 1) + long), 202},
	} {
		p := r.dial(0)
		p.deliver(c.text)
		for range 30 {
			r.l.now++
			r.l.expireGuarded()
		}
		r.callsEnd(c.why)
		res := p.next("POST")
		if res.status != c.status || res.stream || len(p.got) > 0 || (c.why == "initialize") != (res.head.Get("Mcp-Session-Id") != "") {
			t.Errorf("%s: %d, stream %v, session %q, then %q", c.why, res.status, res.stream, res.head.Get("Mcp-Session-Id"), p.got)
		}
		p.fin()
	}
}

// A batch without requests has no answer: a stream that a heartbeat has begun ends without a
// message, here and for a client that resumes it.
func TestBatchWithoutAnswerEndsItsStream(t *testing.T) {
	for _, where := range []string{"here", "resumed", "resumed afterwards"} {
		r := newPort(t, &Options{Heartbeat: time.Second})
		s := r.initialize("2025-03-26")
		p := r.dial(0)
		p.deliver(s.message(`[{"jsonrpc":"2.0","method":"notifications/initialized"}]`))
		for range 30 { // the loop does not know of the end yet
			r.l.now++
			r.l.expireGuarded()
		}
		id := "1-0" // of the first stream
		if where == "resumed" {
			p = r.dial(1)
			p.deliver(s.getText(id))
		}
		r.callsEnd(where)
		if where == "resumed afterwards" {
			p = s.get(1, id)
			r.run()
		}
		res := p.next("POST")
		if res.status != 200 || !res.stream || !res.ended || strings.Contains(res.body, "data:") || len(p.got) > 0 {
			t.Errorf("%s: %d, ended %v, %q, then %q", where, res.status, res.ended, res.body, p.got)
		}
	}
}

// After DELETE nothing more of a call's stream has an id: there is nothing that it could be
// resumed from.
func TestNoEventIDsAfterDelete(t *testing.T) {
	for _, rev := range sessionRevisions {
		for _, resumed := range []bool{false, true} {
			r := newPort(t, nil)
			s := r.initialize(rev)
			p := r.dial(0)
			s.play(p, "1", "a")
			r.cue("a", "one", "deaf")
			var events []event
			r.await("a stream", func() bool {
				if len(p.got) > 0 {
					events = append(events, s.events(p)...)
				}
				return strings.HasSuffix(line(events), "one")
			})
			if resumed {
				p.fin()
				p = s.get(1, last(events))
				s.events(p)
			}
			s.delete(1, 204)
			for _, e := range []string{"two", "three", "end"} {
				r.cue("a", e)
			}
			r.callsEnd("the call")
			for p.c.state != connStateClosed && len(p.got) > 0 {
				for _, e := range s.events(p) {
					if e.id != "" {
						t.Errorf("%s, resumed %v: event %+v", rev, resumed, e)
					}
				}
			}
			r.wantNothingHeld("after all")
		}
	}
}
