package server

import (
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/server/internal/quota"
)

// session opens a session of c.
func (r *port) session(c quotaClient) *sessionClient {
	r.t.Helper()
	p := r.ask(c, post("", "", initializeBody("2025-11-25")))
	s := &sessionClient{r, "2025-11-25", p.wantResponse("initialize", 200).head.Get("Mcp-Session-Id")}
	p.fin()
	return s
}

// A call that waits for its client is in flight until it has ended, however it does.
func TestQuotaParkedCall(t *testing.T) {
	r := newQuotaPort(t, Options{PerPrincipal: &ClientLimits{Calls: 1, Sessions: 1}})
	c := quotaClient{"good1", ""}
	s := r.session(c)
	inFlight := func() int { return r.s.quotas.tables[byPrincipal].Total(quota.Calls) }
	for _, end := range []string{"cancelled", "answered", "deleted"} {
		p := r.ask(c, s.message(playBody("1", "a")))
		r.cue("a", "ask 1")
		r.await("the question", func() bool { return len(p.got) > 0 })
		r.await("the call is parked", func() bool { return p.c.x.job.legacy.phase == phaseParked })
		if inFlight() != 1 {
			t.Fatalf("%d calls in flight", inFlight())
		}
		r.ask(c, s.message(playBody("2", "b"))).wantExcess("another call", "principal_calls", r.s.Stats().Refusals["principal_calls"]-1)
		switch end {
		case "cancelled":
			r.ask(c, s.message(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`))
		case "answered":
			r.ask(c, s.message(answerBody(askOf(string(p.got)), "accept")))
		case "deleted":
			r.ask(c, "DELETE /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: "+s.id+"\r\n\r\n")
		}
		r.callsEnd(end)
		if inFlight() != 0 {
			t.Fatalf("%s: %d calls in flight", end, inFlight())
		}
	}
	r.wantNoQuotas("the session is deleted")
}

// A client that resumes a stream which is gone gets the stream of its session, which counts once.
// One that resumes the stream of a call takes the place of that.
func TestQuotaResume(t *testing.T) {
	r := newQuotaPort(t, Options{PerPrincipal: &ClientLimits{Streams: 1}, PerAddress: &ClientLimits{Streams: 9}})
	c := quotaClient{"good1", "10.0.0.1"}
	s := r.session(c)
	streams := func(why string, want int) {
		t.Helper()
		for _, table := range r.s.quotas.tables {
			if n := table.Total(quota.Streams); n != want {
				t.Fatalf("%s: %d streams, want %d", why, n, want)
			}
		}
	}
	p := r.ask(c, s.getText("77-3"))
	p.wantResponse("the stream of the session", 200)
	streams("nothing to resume", 1)
	p.fin()
	streams("the client has disconnected", 0)

	call := r.ask(c, s.message(playBody("1", "a")))
	r.cue("a", "word")
	r.await("an event", func() bool { return len(call.got) > 0 })
	id := s.events(call)[0].id
	call.fin()
	first := r.ask(c, s.getText(id))
	first.wantResponse("the call's stream", 200)
	streams("resumed", 1)
	r.ask(c, listenTo("1", everything).String()).wantExcess("another stream", "principal_streams", 0)
	second := r.ask(c, s.getText(id))
	second.wantResponse("in its place", 200)
	streams("resumed again", 1)
	r.cue("a", "end")
	r.callsEnd("the call")
	if !second.closed {
		second.fin()
	}
	streams("all is over", 0)
}

// askOf returns the id of the question in a stream.
func askOf(stream string) string {
	_, id, _ := strings.Cut(stream, `"id":"ask-`)
	id, _, _ = strings.Cut(id, `"`)
	return `"ask-` + id + `"`
}
