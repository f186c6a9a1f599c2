package server

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
)

func TestSSEStreamThatClosesEndsItsCalls(t *testing.T) {
	for _, end := range []string{"FIN", "RST"} {
		r := newSSERig(t, nil)
		p := r.openSSE()
		p.initialize("2024-11-05", "")
		p.post("a call", sseCall("1", "wait", `{}`))
		if end == "FIN" {
			p.fin()
		} else {
			p.rst()
		}
		select {
		case cause := <-r.causes:
			if !errors.Is(cause, errClientGone) {
				t.Errorf("%s: cause %v", end, cause)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: the call continues", end)
		}
		via := r.connect()
		if res := p.from(via, sseCall("2", "add", `{"a":1,"b":1}`)); res.status != 404 {
			t.Errorf("%s: POST after the end: %d, want 404", end, res.status)
		}
		r.wantNoSessions(end)
		if n := r.l.m.requests[mcp.MethodCallTool][outcomeCancelled].Load(); n != 1 {
			t.Errorf("%s: %d calls counted as cancelled", end, n)
		}
	}
}

func TestSSEDisconnectOfAPOSTIsNoCancellation(t *testing.T) {
	r := newSSERig(t, nil)
	p := r.openSSE()
	p.initialize("2024-11-05", "")
	p.post("a call, whose connection closes", sseCall("1", "wait", `{}`))
	r.hold <- struct{}{}
	p.want("the answer", `"id":1,"result"`)
	if n := r.l.m.requests[mcp.MethodCallTool][outcomeOK].Load(); n != 1 {
		t.Errorf("%d calls counted as ok, want 1", n)
	}
}

func TestSSECancellation(t *testing.T) {
	r := newSSERig(t, nil)
	p := r.openSSE()
	p.initialize("2024-11-05", `"sampling":{}`)
	p.post("a call", sseCall("1", "wait", `{}`))
	p.post("a call that asks", sseCall("2", "sample", `{}`))
	p.want("the question", `sampling/createMessage`)
	for _, id := range []string{"1", "2", "3"} {
		p.post("cancel", `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":`+id+`}}`)
	}
	if cause := <-r.causes; !errors.Is(cause, errCancelled) {
		t.Errorf("cause %v", cause)
	}
	r.await("both have ended", func() bool { return r.s.calls.Load() == 0 })
	p.wantSilence("nothing answers what was cancelled")
	p.post("the session continues", sseCall("1", "echo", `{"text":"x"}`))
	p.want("the session continues", `"id":1,"result"`)
}

func TestSSECallsTakeNoLongerThanTheyMay(t *testing.T) {
	r := newSSERig(t, &Options{CallTimeout: 3 * time.Second, Heartbeat: time.Hour})
	p := r.openSSE()
	p.initialize("2024-11-05", `"sampling":{}`)
	p.post("a call", sseCall("1", "wait", `{}`))
	p.post("a call that asks", sseCall("2", "sample", `{}`))
	p.want("the question", `sampling/createMessage`)
	r.await("the question is parked", func() bool { return playForwarded || len(r.l.workers.idle) == 1 })
	r.pass(2 * time.Second)
	p.wantSilence("there is time")
	r.pass(2 * time.Second)
	msgs := strings.Join(p.want("both time out", "longer than", "longer than"), "")
	if !strings.Contains(msgs, `"id":1,`) || !strings.Contains(msgs, `"id":2,`) {
		t.Errorf("answered %s", msgs)
	}
	if cause := <-r.causes; !errors.Is(cause, errCallTimeout) {
		t.Errorf("cause %v", cause)
	}
	r.await("both have ended", func() bool { return r.s.calls.Load() == 0 })
	p.wantSilence("one answer a call")
	if n := r.l.m.requests[mcp.MethodCallTool][outcomeTimeout].Load(); n != 2 {
		t.Errorf("%d calls counted as timed out", n)
	}
}

func TestSSEBounds(t *testing.T) {
	r := newSSERig(t, &Options{MaxStreams: 1, MaxCalls: 1})
	p := r.openSSE()
	p.initialize("2024-11-05", "")
	second := r.connect()
	second.send(getSSE)
	second.wantResponse("one stream too many", 503).wantField("one stream too many", "Retry-After", "1")
	second.wantOpen("one stream too many")
	p.post("a call", sseCall("1", "wait", `{}`))
	if res := p.from(second, sseCall("2", "wait", `{}`)); res.status != 503 || !strings.Contains(res.body, "-32603") {
		t.Errorf("one call too many: %d %q", res.status, res.body)
	}
	r.hold <- struct{}{}
	p.want("the first continues", `"id":1,"result"`)

	r = newSSERig(t, &Options{MaxSessions: 1})
	p = r.openSSE()
	second = r.connect()
	second.send(getSSE)
	second.wantResponse("one session too many", 503)
	second.wantOpen("one session too many")
	p.fin()
	r.wantNoSessions("bounds")
	second.send(getSSE)
	if res := second.wantResponse("there is room again", 200); !res.stream {
		t.Error("no stream")
	}
}

func TestSSEStreamOfWhoDoesNotReadIsClosed(t *testing.T) {
	r := newSSERig(t, &Options{MaxUnsent: 4 << 10, MaxResponse: 8 << 10})
	p := r.openSSE()
	p.initialize("2024-11-05", "")
	p.slow(0)
	echo := func(id int) string {
		return sseCall(fmt.Sprint(id), "echo", `{"text":"`+strings.Repeat("x", 5<<10)+`"}`)
	}
	p.post("one response waits", echo(1))
	r.await("one response waits", func() bool { return len(p.pending) > 5<<10 })
	p.post("another has room", echo(2))
	r.await("another has room", func() bool { return len(p.pending) > 10<<10 || p.closed })
	p.wantOpen("two responses wait")
	p.post("a third has none", echo(3))
	r.await("a third has none", func() bool { return p.closed })
	p.wantClosed("a third has none", closeUnsent)
	if !p.reset {
		t.Error("what waits is not dropped")
	}
	r.wantNoSessions("a slow reader")

	p = r.openSSE()
	p.initialize("2024-11-05", "")
	p.slow(0)
	p.post("a response", echo(1))
	r.await("a response waits", func() bool { return len(p.pending) > 5<<10 })
	r.change(changeOf("tools"))
	r.change(changeOf("tools"))
	p.catchUp()
	p.want("the response arrives", `"id":1`)
	r.pass(time.Second)
	p.want("many changes are one notice", "list_changed")
}

func TestSSETooLongResponseIsAnError(t *testing.T) {
	r := newSSERig(t, &Options{MaxResponse: 1 << 10})
	p := r.openSSE()
	p.rev = "2024-11-05"
	p.post("a worker's", sseCall("1", "echo", `{"text":"`+strings.Repeat("x", 2<<10)+`"}`))
	p.want("a worker's", `"id":1,"error":{"code":-32603`)
	p.post("an inline one", `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
	p.want("an inline one", `"id":2,"error":{"code":-32603`)
}

func TestSSEHeartbeat(t *testing.T) {
	r := newSSERig(t, &Options{Heartbeat: 2 * time.Second})
	p := r.openSSE()
	r.pass(5 * time.Second)
	if n := strings.Count(p.take(), endpoint.HeartbeatChunk); n < 1 || n > 3 {
		t.Errorf("%d heartbeats in 5 s, every 2 s", n)
	}
	p.wantOpen("an idle stream")
}

func TestSSEDrainLetsCallsFinish(t *testing.T) {
	r := newSSERig(t, nil)
	idle, busy := r.openSSE(), r.openSSE()
	busy.initialize("2024-11-05", "")
	busy.post("a call", sseCall("1", "wait", `{}`))
	r.l.postDrain(&drainOrder{spread: 2})
	r.run()
	r.pass(time.Second)
	if msgs := idle.messages(); len(msgs) != 1 || msgs[0] != "END" {
		t.Errorf("an idle stream ends with %q", msgs)
	}
	idle.wantClosed("an idle stream", closeDrain)
	busy.wantOpen("a stream with a call")
	r.hold <- struct{}{}
	busy.want("the call finishes", `"id":1,"result"`)
	r.pass(time.Second)
	busy.wantClosed("then the stream ends", closeDrain)
	r.wantNoSessions("drain")
}

func TestSSEOverHTTP10(t *testing.T) {
	r := newSSERig(t, nil)
	p := r.connect()
	p.send(strings.Replace(getSSE, "HTTP/1.1", "HTTP/1.0", 1))
	head, body, _ := strings.Cut(p.take(), "\r\n\r\n")
	events := decodeEvents(t, body)
	if strings.Contains(head, "chunked") || len(events) != 1 || events[0].Type != "endpoint" {
		t.Fatalf("%s\n\n%s", head, body)
	}
	via := r.connect()
	via.send(ssePost(string(events[0].Data), `{"jsonrpc":"2.0","id":1,"method":"ping"}`))
	via.wantResponse("POST", 202)
	p.wantBytes("the answer", "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n")
}

// What one stream carries must not be found again in what the loop writes next: the buffer of the
// one is not the scratch of the other.
func TestSSEEventsStayWhereTheyBelong(t *testing.T) {
	r := newSSERig(t, nil)
	p := r.openSSE()
	p.initialize("2024-11-05", "")
	modern := r.connect()
	for i := range 20 {
		p.post("a call", sseCall(fmt.Sprint(i), "steps", `{"text":"of the session"}`))
		p.want("a call", "progress", "progress", "progress", "progress", "progress", "result")
		q := callTool("steps", `{"text":"of the other"}`)
		q.meta = `,"progressToken":7`
		modern.send(q.String())
		r.await("a modern call", func() bool { return strings.Contains(string(modern.got), `"result":`) })
		events := modern.events(modern.wantResponse("a modern call", 200).body)
		for n, e := range events {
			if n < 5 && !strings.HasPrefix(e, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,`) || len(events) != 6 {
				t.Fatalf("round %d: event %d of %d: %s", i, n, len(events), e)
			}
		}
	}
}
