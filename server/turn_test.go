package server

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
)

// oneProcessor leaves the loop and the workers a single processor, so that one can run only when
// the other yields.
func oneProcessor(t *testing.T) {
	before := runtime.GOMAXPROCS(1)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

// sessionOn opens a session of the given revision and returns its id.
func sessionOn(p *fakePeer, rev string) string {
	p.r.t.Helper()
	p.send(post("", "", initializeBody(rev)))
	return p.wantResponse("initialize", 200).head.Get("Mcp-Session-Id")
}

// TestLend checks that a worker's answer is sent in the turn in which its request arrived,
// whatever starts the worker, and that no worker has to wake the loop for it.
func TestLend(t *testing.T) {
	const each = 200 // more than three times 61: Go's scheduler prefers the loop in one turn of 61
	for _, c := range []struct {
		name string
		open func(t *testing.T) (r *rig, call func(i int) (from *fakePeer, request, answer string))
	}{
		{"a call", func(t *testing.T) (*rig, func(int) (*fakePeer, string, string)) {
			r := newRig(t, nil)
			p := r.connect()
			return r, func(i int) (*fakePeer, string, string) {
				return p, callTool("echo", fmt.Sprintf(`{"text":"n%d."}`, i)).String(), fmt.Sprintf(`"n%d."`, i)
			}
		}},
		{"a call that notifies", func(t *testing.T) (*rig, func(int) (*fakePeer, string, string)) {
			r := newRig(t, nil)
			p := r.connect()
			return r, func(i int) (*fakePeer, string, string) {
				q := callTool("steps", fmt.Sprintf(`{"text":"n%d."}`, i))
				q.meta = `,"progressToken":1`
				return p, q.String(), `"result"`
			}
		}},
		{"long content", func(t *testing.T) (*rig, func(int) (*fakePeer, string, string)) {
			r := newRig(t, nil)
			p := r.connect()
			return r, func(i int) (*fakePeer, string, string) {
				return p, callTool("echo", fmt.Sprintf(`{"text":"n%d."}`, i)).big().String(), fmt.Sprintf(`"n%d."`, i)
			}
		}},
		{"a call of a session", func(t *testing.T) (*rig, func(int) (*fakePeer, string, string)) {
			r := newRig(t, nil)
			p := r.connect()
			id := sessionOn(p, "2025-11-25")
			return r, func(i int) (*fakePeer, string, string) {
				body := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"echo","arguments":{"text":"n%d."}}}`, i, i)
				return p, post(id, "", body), fmt.Sprintf(`"n%d."`, i)
			}
		}},
		{"a batch", func(t *testing.T) (*rig, func(int) (*fakePeer, string, string)) {
			r := newRig(t, nil)
			p := r.connect()
			id := sessionOn(p, "2025-03-26")
			return r, func(i int) (*fakePeer, string, string) {
				body := fmt.Sprintf(`[{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"echo","arguments":{"text":"n%d."}}}]`, i, i)
				return p, post(id, "", body), fmt.Sprintf(`"n%d."`, i)
			}
		}},
		{"HTTP+SSE", func(t *testing.T) (*rig, func(int) (*fakePeer, string, string)) {
			r := newSSERig(t, nil)
			s := r.openSSE()
			s.initialize("2024-11-05", "")
			p := r.connect()
			return r, func(i int) (*fakePeer, string, string) {
				body := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"echo","arguments":{"text":"n%d."}}}`, i, i)
				s.take()
				p.deliver(ssePost(s.where, body))
				return s.fakePeer, "", fmt.Sprintf(`"n%d."`, i)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, call := c.open(t)
			r.run()
			oneProcessor(t)
			missed, allowed := 0, 1 // a garbage collection may come in between
			if raceEnabled() {
				allowed = 5
			}
			for i := range each {
				p, request, answer := call(i)
				if request != "" {
					p.take()
					p.deliver(request)
				}
				r.l.lendAfter = time.Time{} // on a slow machine even quick handlers may look slow
				if !r.l.gave {
					t.Fatalf("call %d was not handed to a worker", i)
				}
				r.l.lend()
				r.base.mu.Lock()
				woken := len(r.base.tasks) + len(r.base.later)
				r.base.mu.Unlock()
				if strings.Contains(string(p.got), answer) && woken == 0 {
					continue
				}
				missed++
				r.await("the answer", func() bool { return strings.Contains(string(p.got), answer) })
			}
			if missed > allowed {
				t.Errorf("%d of %d calls were not answered in their turn, or had to wake the loop", missed, each)
			}
		})
	}
}

// TestLendPipelined checks that the next request of a connection, which waits for the previous
// answer, is served in the same turn too, up to a limit.
func TestLendPipelined(t *testing.T) {
	r := newRig(t, nil)
	p := r.connect()
	oneProcessor(t)
	const n = 4 * inboxRounds
	p.deliver(strings.Repeat(callTool("echo", `{"text":"ahoy"}`).String(), n))
	r.l.lend()
	if got := strings.Count(p.take(), `"ahoy"`); got != inboxRounds {
		t.Errorf("%d answers in the first turn, want %d", got, inboxRounds)
	}
	for range n {
		later := r.base.later
		r.base.later = nil
		for _, tk := range later {
			tk()
		}
	}
	if got := strings.Count(p.take(), `"ahoy"`); got != n-inboxRounds {
		t.Errorf("%d answers in the following turns, want %d", got, n-inboxRounds)
	}
	if tasks := r.base.take(); len(tasks) > 0 {
		t.Errorf("%d tasks: a worker had to wake the loop", len(tasks))
	}
}

// TestLendToSlowHandlers checks that handlers that compute do not hold up the sockets of a turn.
// After the first handler, the others wait until all sockets have been served.
func TestLendToSlowHandlers(t *testing.T) {
	r := newRig(t, nil)
	mcp.AddTool(r.ms, &mcp.Tool{Name: "compute"}, func(context.Context, *mcp.CallToolRequest, noIn) (*mcp.CallToolResult, any, error) {
		for end := time.Now().Add(5 * time.Millisecond); time.Now().Before(end); {
		}
		return &mcp.CallToolResult{}, nil, nil
	})
	r.run()
	oneProcessor(t)
	const conns = 8
	var peers []*fakePeer
	for range conns {
		peers = append(peers, r.connect())
	}
	begun := 0
	for _, p := range peers { // like the events of one turn
		p.deliver(callTool("compute", `{}`).String())
		before := time.Now()
		r.l.lend()
		if time.Since(before) > 2*time.Millisecond {
			begun++
		}
	}
	if begun > 2 {
		t.Errorf("%d of %d handlers held up later sockets", begun, conns)
	}
	if got := r.l.begun.Load(); got > 2 {
		t.Errorf("%d of %d handlers had begun when all sockets were served", got, conns)
	}
	r.run() // runs the task at the end of the turn
	if got := r.l.begun.Load(); got != conns {
		t.Errorf("%d of %d handlers had begun when the loop went to sleep", got, conns)
	}
	for i, p := range peers {
		r.await("the answer", p.answered)
		p.wantResponse(fmt.Sprint("connection ", i), 200)
	}
}

// TestLendToBlockedHandlers checks that a handler that waits holds up no other call, and wakes
// the loop when it answers.
func TestLendToBlockedHandlers(t *testing.T) {
	r := newRig(t, nil)
	p, q := r.connect(), r.connect()
	oneProcessor(t)
	p.deliver(callTool("wait", `{}`).String())
	r.l.lend()
	q.deliver(callTool("echo", `{"text":"ahoy"}`).String())
	r.l.lendAfter = time.Time{}
	r.l.lend()
	q.wantResponse("another client's call", 200)
	if n := len(r.base.take()); n != 0 {
		t.Errorf("%d tasks before the handler answers, want none", n)
	}
	r.hold <- struct{}{}
	r.await("the answer", p.answered)
	p.wantResponse("the call", 200)
}
