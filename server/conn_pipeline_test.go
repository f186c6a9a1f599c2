package server

import (
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
)

// TestPipelining checks that answers come in order, and that no request is begun before the
// previous one has been answered.
func TestPipelining(t *testing.T) {
	r := newRig(t, nil)
	begun := 0
	mcp.AddInlineTool(r.ms, &mcp.Tool{Name: "mark"}, func(*mcp.CallToolRequest, noIn) (addOut, error) {
		begun++
		return addOut{begun}, nil
	})
	mark := callTool("mark", `{}`).String()
	p := r.connect()
	p.send(mark + callTool("wait", `{}`).String() + mark + callTool("wait", `{}`).String() + mark + "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	for i := 1; i <= 3; i++ {
		if res := p.wantCode("the mark before a call", 200, 0); !strings.Contains(res.body, `"sum":`+string(rune('0'+i))) {
			t.Fatalf("mark %d: got %s", i, res.body)
		}
		if begun != i {
			t.Fatalf("%d marks had begun while call %d ran", begun, i)
		}
		if i == 3 {
			break
		}
		p.wantNothing("while a call runs")
		if p.c.state != connStateCall {
			t.Fatalf("state %v, want a call", p.c.state)
		}
		r.hold <- struct{}{}
		r.await("the call is answered", func() bool { return len(p.got) > 0 })
		p.wantCode("the call", 200, 0)
	}
	if res := p.wantResponse("the last request", 200); res.body != "ok\n" {
		t.Errorf("got %q, want the health check's answer", res.body)
	}
	p.wantOpen("at the end")
}

// TestPipelinedBound checks that the bytes that may arrive while a response is in progress are
// limited.
func TestPipelinedBound(t *testing.T) {
	const bound = 2000
	filler := strings.Repeat("x", bound)
	t.Run("in a call", func(t *testing.T) {
		r := newRig(t, &Options{MaxPipelined: bound})
		p := r.connect()
		p.send(callTool("wait", `{}`).String())
		p.send(filler)
		p.wantOpen("at the limit")
		p.send("x")
		p.wantClosed("one byte over the limit", closePipelined)
		if err := <-r.causes; err != errClientGone {
			t.Errorf("the context ended because of %v, want errClientGone", err)
		}
	})
	t.Run("in the same read as the call", func(t *testing.T) {
		r := newRig(t, &Options{MaxPipelined: bound})
		p := r.connect()
		p.send(callTool("wait", `{}`).String() + filler + "x")
		p.wantClosed("one byte over the limit", closePipelined)
		q := r.connect()
		q.send(callTool("wait", `{}`).String() + filler)
		q.wantOpen("at the limit")
	})
	t.Run("on a stream", func(t *testing.T) {
		r := newRig(t, &Options{MaxPipelined: bound})
		p := r.connect()
		p.listen("1")
		p.send(filler)
		p.wantOpen("at the limit")
		p.send("x")
		p.wantClosed("one byte over the limit", closePipelined)
	})
	t.Run("the limit does not apply to one long request", func(t *testing.T) {
		r := newRig(t, &Options{MaxPipelined: 10})
		p := r.connect()
		for _, b := range addCall(1, 2).with("X: " + filler + "\r\n").String() {
			p.send(string(b))
		}
		p.method = "tools/call"
		p.wantCode("a request longer than the limit", 200, 0)
	})
}

// TestPipeliningWithoutReading checks that the server stops answering a client that sends
// requests without reading. The remaining requests wait and are answered, in order, once the
// client reads.
func TestPipeliningWithoutReading(t *testing.T) {
	opts := &Options{MaxUnsent: 10_000, MaxPipelined: 50_000}
	text := strings.Repeat("z", 5000)
	setup := func(t *testing.T) (*rig, *fakePeer) {
		r := newRig(t, opts)
		mcp.AddInlineTool(r.ms, &mcp.Tool{Name: "long"}, func(_ *mcp.CallToolRequest, in addIn) (map[string]any, error) {
			return map[string]any{"n": in.A, "text": text}, nil
		})
		p := r.connect()
		p.slow(0)
		return r, p
	}
	ask := func(i int) string { return callTool("long", `{"a":`+string(rune('0'+i))+`,"b":0}`).String() }
	t.Run("read at last", func(t *testing.T) {
		r, p := setup(t)
		for i := range 10 {
			p.send(ask(i))
		}
		if n := p.OutboundBuffered(); n > opts.MaxUnsent+20_000 {
			t.Errorf("%d bytes unsent, limit %d", n, opts.MaxUnsent)
		}
		p.wantOpen("while its requests wait")
		p.catchUp()
		r.pass(2 * retryTime)
		for i := range 10 {
			if res := p.wantCode("in order", 200, 0); !strings.Contains(res.body, `"n":`+string(rune('0'+i))) {
				t.Fatalf("answer %d is %.300s, want the answers in order", i, res.body)
			}
		}
		p.wantOpen("at the end")
		r.pass(r.s.opts.IdleTimeout - time.Second)
		p.wantOpen("within the idle time")
	})
	t.Run("all in one read", func(t *testing.T) {
		r, p := setup(t)
		var all strings.Builder
		for i := range 10 {
			for range 9 {
				all.WriteString(ask(i))
			}
		}
		p.send(all.String())
		if n := p.OutboundBuffered(); n > opts.MaxUnsent+keepOut+20_000 {
			t.Errorf("%d bytes unsent, limit %d", n, opts.MaxUnsent)
		}
		p.wantOpen("while its requests wait")
		p.catchUp()
		r.pass(2 * retryTime)
		for i := range 90 {
			if res := p.wantCode("in order", 200, 0); !strings.Contains(res.body, `"n":`+string(rune('0'+i/9))) {
				t.Fatalf("answer %d is %.300s, want the answers in order", i, res.body)
			}
		}
	})
	t.Run("too many requests", func(t *testing.T) {
		_, p := setup(t)
		for range 300 {
			p.send(ask(1))
		}
		p.wantClosed("waiting requests over their limit", closePipelined)
	})
	t.Run("never read", func(t *testing.T) {
		r, p := setup(t)
		for i := range 10 {
			p.send(ask(i))
		}
		r.pass(r.s.opts.WriteTimeout + tickUnit)
		p.wantClosed("a client that reads nothing", closeStalled)
		if !p.reset {
			t.Error("closed without an RST")
		}
	})
	t.Run("drained", func(t *testing.T) {
		r, p := setup(t)
		for i := range 10 {
			p.send(ask(i))
		}
		r.l.postDrain(&drainOrder{})
		r.run()
		p.catchUp()
		r.pass(2 * retryTime)
		p.wantClosed("after the client has read all answers", closeDrain)
		for len(p.got) > 0 {
			p.wantCode("a whole answer", 200, 0)
		}
	})
}
