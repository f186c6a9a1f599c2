package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
)

// A port is a rig of two loops, with a tool that does what the test says. Both loops run on the
// test's goroutine, one turn after the other.
type port struct {
	*rig
	loops []*loop
	cues  map[string]chan string
}

type playIn struct {
	Part string `json:"part"`
}

// newPort returns a port. Changes are reported when the test says so.
func newPort(t testing.TB, opts *Options) *port {
	t.Helper()
	var o Options
	if opts != nil {
		o = *opts
	}
	o.NoticeDelay = 1000 * time.Hour
	r := &port{cues: make(map[string]chan string)}
	r.rig = newRig(t, &o, func(o *mcp.ServerOptions) {
		o.Capabilities = &mcp.ServerCapabilities{Logging: &mcp.LoggingCapabilities{}}
	})
	for _, part := range []string{"a", "b", "c", "d"} {
		r.cues[part] = make(chan string, 1024)
	}
	mcp.AddTool(r.ms, &mcp.Tool{Name: "play"}, r.play)
	if playForwarded {
		r.putOn()
	}
	r.loops = []*loop{r.l, newLoop(r.s, 1, r.base)}
	r.s.mu.Lock()
	r.s.loops = r.loops
	r.s.mu.Unlock()
	r.tell()
	// a call that waits for its client has no goroutine that the end of the server could wake
	t.Cleanup(func() {
		for _, l := range r.loops {
			l.guard(func() { l.startDrain(&drainOrder{}) })()
		}
		r.run()
	})
	return r
}

// play is a handler that follows its cues: "end", "ask N", "wait N", "close", "deaf"; anything else
// is sent to the client.
func (r *port) play(ctx context.Context, req *mcp.CallToolRequest, in playIn) (*mcp.CallToolResult, any, error) {
	text := func(s string) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: s}}}, nil, nil
	}
	if answers := req.Params.InputResponses; len(answers) > 0 {
		var all []string
		for key, a := range answers {
			all = append(all, key+"="+a.(*mcp.ElicitResult).Action)
		}
		slices.Sort(all)
		return text(strings.Join(all, " "))
	}
	done := ctx.Done()
	for {
		select {
		case cue := <-r.cues[in.Part]:
			var n int
			switch {
			case cue == "end":
				return text("the end of " + in.Part)
			case cue == "deaf":
				done = nil
			case cue == "close":
				req.Session.CloseSSEStream(mcp.CloseSSEStreamArgs{RetryAfter: 1500 * time.Millisecond})
			case strings.HasPrefix(cue, "ask "):
				_, _ = fmt.Sscanf(cue, "ask %d", &n)
				asks := make(mcp.InputRequestMap)
				for i := range n {
					asks[fmt.Sprint("q", i)] = &mcp.ElicitParams{Message: fmt.Sprint("question ", i)}
				}
				return &mcp.CallToolResult{InputRequests: asks}, nil, nil
			case strings.HasPrefix(cue, "wait "):
				_, _ = fmt.Sscanf(cue, "wait %d", &n)
				return text(waitFor(ctx, req.Session, n))
			default:
				_ = req.Session.Log(ctx, &mcp.LoggingMessageParams{Level: "info", Data: cue})
			}
		case <-done:
			r.causes <- context.Cause(ctx)
			return nil, nil, ctx.Err()
		}
	}
}

// waitFor asks n questions, one after another, and returns the answers or the first error.
func waitFor(ctx context.Context, ss *mcp.ServerSession, n int) string {
	var all []string
	for i := range n {
		a, err := ss.Elicit(ctx, &mcp.ElicitParams{Message: fmt.Sprint("question ", i)})
		if err != nil {
			if inner := errors.Unwrap(err); inner != nil {
				err = inner // whose text does not look like a question
			}
			return "error: " + err.Error()
		}
		all = append(all, fmt.Sprintf("q%d=%s", i, a.Action))
	}
	return strings.Join(all, " ")
}

// tell notifies the loops of what has changed.
func (r *port) tell() {
	r.s.main.notices.flush()
	r.run()
}

// wait lets time pass on all loops, with all that a tick does.
func (r *port) wait(d time.Duration) {
	for range d / tickUnit {
		for _, l := range r.loops {
			l.now++
			l.guard(l.onTick)()
		}
		r.run()
	}
}

// dial opens a connection on a loop.
func (r *port) dial(loop int) *fakePeer {
	p := &fakePeer{r: r.rig, room: -1}
	p.c = newConn(r.loops[loop], endpoint.TrustLoopback, false)
	r.s.admission.Reserve(false)
	p.c.open(p, p.c.loop.now)
	r.peers = append(r.peers, p)
	return p
}

// wantHarmony checks what is true between two turns.
func (r *port) wantHarmony(why string) {
	r.t.Helper()
	if err := r.harmony(); err != nil {
		r.t.Fatalf("%s: %v", why, err)
	}
}

func (r *port) harmony() error {
	open, streams := 0, 0
	for i, l := range r.loops {
		mine, here := 0, 0
		for _, c := range l.slots {
			if c == nil {
				continue
			}
			mine++
			if c.has(flagStreaming) {
				here++
			}
			if (c.state == connStateStream) != c.has(flagStreaming) {
				return fmt.Errorf("loop %d: a connection in state %v, streaming %v", i, c.state, c.has(flagStreaming))
			}
			if c.state == connStateCall && (c.x == nil || c.x.job == nil) {
				return fmt.Errorf("loop %d: a connection waits for no call", i)
			}
		}
		if l.wheel.Armed() != mine {
			return fmt.Errorf("loop %d: %d deadlines for %d connections", i, l.wheel.Armed(), mine)
		}
		if len(l.out) > 0 {
			return fmt.Errorf("loop %d: %q is left behind", i, l.out)
		}
		seen := make(map[*job]bool)
		for _, j := range l.jobs {
			if seen[j] {
				return fmt.Errorf("loop %d: a job is free twice", i)
			}
			if seen[j] = true; j.legacy.registered || j.legacy.phase != phaseRunning || j.legacy.link != linkAttached || j.content != nil {
				return fmt.Errorf("loop %d: a free job is in use", i)
			}
		}
		open += mine
		streams += here
	}
	for i, l := range r.loops {
		for _, d := range l.detached {
			if d.job.gen == d.gen && d.job.legacy.phase != phaseAnswered && d.job.unsent.Load() != 0 {
				return fmt.Errorf("loop %d: a call without connection has %d bytes waiting there", i, d.job.unsent.Load())
			}
		}
	}
	held, _ := r.s.sessions.Audit()
	switch {
	case r.s.admission.Connections() != int64(open):
		return fmt.Errorf("%d connections, %d counted", open, r.s.admission.Connections())
	case r.s.streams.Load() != int64(streams):
		return fmt.Errorf("%d streams, %d counted", streams, r.s.streams.Load())
	case r.s.sessions.Stats() != held:
		return fmt.Errorf("the table holds %+v, counted are %+v", held, r.s.sessions.Stats())
	}
	return nil
}

// wantNothingHeld checks that nothing of any session is left.
func (r *port) wantNothingHeld(why string) {
	r.t.Helper()
	r.wantHarmony(why)
	if held := r.s.sessions.Stats(); held.Sessions != 0 || r.s.calls.Load() != 0 || r.s.loose.Load() != 0 || held.ReplayBytes != 0 {
		r.t.Fatalf("%s: %d sessions with state, %d calls, %d without connection, %d bytes to replay", why, held.Sessions, r.s.calls.Load(), r.s.loose.Load(), held.ReplayBytes)
	}
}

// callsEnd waits until no call is left.
func (r *port) callsEnd(why string) {
	r.t.Helper()
	// A worker counts its call out before it gives it back.
	r.await(why, func() bool { return r.s.calls.Load() == 0 && r.callsInFlight() == 0 })
	r.run()
}
