package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/internal/wirecheck"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/engine"
)

// A rig is a server with one loop and no engine below it: tasks run, time passes and bytes arrive
// when the test says so.
type rig struct {
	t  testing.TB
	ms *mcp.Server
	// upstream has the features of the rig that workers run: ms itself, or with playForwarded the
	// server to which ms forwards.
	upstream *mcp.Server
	s        *Server
	l        *loop
	base     *fakeBase
	schema   *wirecheck.Checker
	read     []byte // the buffer in which peers' bytes arrive, as on a gnet loop
	peers    []*fakePeer
	log      syncBuffer
	hold     chan struct{} // lets one call of the tool "wait" return
	causes   chan error    // receives why the context of a "wait" call ended
}

// fakeBase keeps tasks until the rig runs them.
type fakeBase struct {
	mu    sync.Mutex
	tasks []engine.Task
	later []engine.Task
	wake  chan struct{}
}

func (f *fakeBase) Execute(t engine.Task) {
	f.mu.Lock()
	f.tasks = append(f.tasks, t)
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Again implements engine.Loop. It runs on the loop, which is the test's goroutine.
func (f *fakeBase) Again(t engine.Task) { f.later = append(f.later, t) }

func (f *fakeBase) take() []engine.Task {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.tasks
	f.tasks = nil
	return t
}

func (f *fakeBase) CloseSocket(sk engine.Socket)      { peerOf(sk).onClose(nil) }
func (f *fakeBase) CloseWrite(sk engine.Socket) error { return peerOf(sk).onCloseWrite() }
func (f *fakeBase) ReportsCaughtUp() bool             { return false }

// Peer implements engine.Loop.
func (f *fakeBase) Peer(sk engine.Socket) netip.AddrPort { return peerOf(sk).addr }

// Duplicate implements engine.Loop: a fake peer has no socket.
func (f *fakeBase) Duplicate(engine.Socket) (net.Conn, error) { return nil, errors.ErrUnsupported }

func peerOf(sk engine.Socket) *fakePeer {
	if v, ok := sk.(*vectorPeer); ok {
		return v.fakePeer
	}
	return sk.(*fakePeer)
}

// syncBuffer holds the server's log, which any goroutine may write.
type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

type addIn struct {
	A int `json:"a"`
	B int `json:"b"`
}

type addOut struct {
	Sum int `json:"sum"`
}

type textIn struct {
	Text string `json:"text"`
}

type noIn struct{}

// newRig returns a rig with the features that the tests use. opts may be nil.
func newRig(t testing.TB, opts *Options, change ...func(*mcp.ServerOptions)) *rig {
	t.Helper()
	if testing.Short() && defaultEngine != EngineGnet {
		t.Skip("a rig has no engine: run without the tag epoll")
	}
	r := &rig{
		t:      t,
		base:   &fakeBase{wake: make(chan struct{}, 1)},
		schema: wirecheck.Open(t),
		read:   make([]byte, 0, 64<<10),
		hold:   make(chan struct{}, 16),
		causes: make(chan error, 16),
	}
	logger := slog.New(slog.NewTextHandler(&r.log, nil))
	mo := mcp.ServerOptions{Logger: logger}
	for _, f := range change {
		f(&mo)
	}
	r.ms = mcp.NewServer(&mcp.Implementation{Name: "rig", Version: "1"}, &mo)
	t.Cleanup(r.ms.Close)
	r.upstream = r.ms
	if playForwarded {
		r.upstream = mcp.NewServer(&mcp.Implementation{Name: "up", Version: "1"}, &mcp.ServerOptions{Logger: logger})
		t.Cleanup(r.upstream.Close)
	}
	r.addFeatures(r.upstream)
	r.showUpstream()
	var o Options
	if opts != nil {
		o = *opts
	}
	o.Loops, o.Logger = 2, logger // a port has a second loop
	r.s = New(r.ms, &o)
	r.l = newLoop(r.s, 0, r.base)
	r.s.mu.Lock()
	r.s.loops = []*loop{r.l}
	r.s.started = true
	r.s.mu.Unlock()
	r.s.up.Store(true)
	t.Cleanup(func() {
		r.s.cancel(errShutdown) // ends the handlers that still run
		if r.s.calls.Load() > 0 {
			r.await("the workers end with the server", func() bool { return r.s.calls.Load() == 0 })
		}
	})
	return r
}

func (r *rig) addFeatures(ms *mcp.Server) {
	mcp.AddInlineTool(r.ms, &mcp.Tool{Name: "add"}, func(req *mcp.CallToolRequest, in addIn) (addOut, error) {
		_ = req.Progress(1, 2, "half way")
		return addOut{in.A + in.B}, nil
	})
	mcp.AddTool(ms, &mcp.Tool{Name: "echo"},
		func(ctx context.Context, req *mcp.CallToolRequest, in textIn) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: in.Text}}}, nil, nil
		})
	mcp.AddTool(ms, &mcp.Tool{Name: "wait"}, func(ctx context.Context, req *mcp.CallToolRequest, _ noIn) (*mcp.CallToolResult, any, error) {
		select {
		case <-r.hold:
			return &mcp.CallToolResult{}, nil, nil
		case <-ctx.Done():
			select {
			case r.causes <- context.Cause(ctx):
			default: // the test does not read the causes
			}
			return nil, nil, ctx.Err()
		}
	})
	mcp.AddTool(ms, &mcp.Tool{Name: "steps"},
		func(ctx context.Context, req *mcp.CallToolRequest, in textIn) (*mcp.CallToolResult, any, error) {
			for i := range 5 {
				_ = req.Progress(float64(i+1), 5, in.Text)
			}
			return &mcp.CallToolResult{}, nil, nil
		})
	mcp.AddTool(ms, &mcp.Tool{Name: "fails"}, func(context.Context, *mcp.CallToolRequest, noIn) (*mcp.CallToolResult, any, error) {
		return nil, nil, errors.New("no wind today")
	})
	mcp.AddTool(ms, &mcp.Tool{Name: "panics"}, func(context.Context, *mcp.CallToolRequest, noIn) (*mcp.CallToolResult, any, error) {
		panic("overboard")
	})
	mcp.AddTool(ms, &mcp.Tool{Name: "asks"}, func(context.Context, *mcp.CallToolRequest, noIn) (*mcp.CallToolResult, any, error) {
		return nil, nil, mcp.MissingCapabilityError(&mcp.ClientCapabilities{Sampling: &mcp.SamplingCapabilities{}})
	})
	for _, uri := range []string{"rig://a", "rig://b"} {
		ms.AddResource(&mcp.Resource{URI: uri, Name: uri},
			func(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
				return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: req.Params.URI, Text: "still water"}}}, nil
			})
	}
	ms.AddPrompt(&mcp.Prompt{Name: "hail"}, func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: "ahoy"}}}}, nil
	})
}

// run runs the tasks of the loop, and those that they add, until none is left.
func (r *rig) run() {
	for rounds := 0; ; rounds++ {
		if rounds > 1_000_000 {
			r.t.Fatal("the loop does not come to rest")
		}
		if !r.step() {
			return
		}
	}
}

// step runs the tasks that the loop has now. It reports whether there were any.
func (r *rig) step() bool {
	tasks := r.base.take()
	for _, t := range tasks {
		t()
	}
	later := r.base.later
	r.base.later = nil
	for _, t := range later {
		t()
	}
	return len(tasks)+len(later) > 0
}

// await runs the loop until cond holds, for conditions that depend on workers.
func (r *rig) await(why string, cond func() bool) {
	r.t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		r.run()
		if cond() {
			return
		}
		select {
		case <-r.base.wake:
		case <-time.After(time.Millisecond): // cond may come true without waking the loop
		case <-timeout:
			r.t.Fatalf("%s: did not happen; log:\n%s", why, r.log.String())
		}
	}
}

// pass lets time pass, tick by tick.
func (r *rig) pass(d time.Duration) {
	for range d / tickUnit {
		r.l.now++
		r.l.guard(r.l.expireDetached)()
		r.l.guard(r.l.refreshSome)()
		r.l.expireGuarded()
		r.run()
	}
}

// expireGuarded does what a tick does, without a clock.
func (l *loop) expireGuarded() { l.guard(l.expire)() }

// change posts changes to the loop, as if Options.NoticeDelay had passed, and lets the loop serve
// them.
func (r *rig) change(chs ...mcp.Change) {
	r.post(chs...)
	r.run()
}

// post posts changes to the loop but does not let it serve them.
func (r *rig) post(chs ...mcp.Change) {
	for _, ch := range chs {
		var c changes
		c.add(ch)
		r.l.main.postChanges(&c)
	}
}

func (r *rig) wantInvariants(why string) {
	r.t.Helper()
	if err := r.invariants(); err != nil {
		r.t.Fatalf("%s: %v", why, err)
	}
}

// invariants returns an error unless everything holds that must hold between two turns.
func (r *rig) invariants() error {
	l := r.l
	open, streams := 0, 0
	for slot, c := range l.slots {
		if c == nil {
			continue
		}
		open++
		if _, armed := l.wheel.Due(c.slot); !armed {
			return fmt.Errorf("connection in state %v has no deadline", c.state)
		}
		if int(c.slot) != slot {
			return fmt.Errorf("connection with slot %d is in slot %d", c.slot, slot)
		}
		if c.has(flagStreaming) {
			streams++
		}
		if c.x != nil && c.x.in == nil && (c.state == connStateIdle || c.state == connStateStream) {
			return fmt.Errorf("connection in state %v holds an exchange", c.state)
		}
		if _, stalled := l.stalls.clocks[c.slot]; stalled != c.has(flagStalled) {
			return fmt.Errorf("stall clock of slot %d: %v, flag %v", slot, stalled, c.has(flagStalled))
		}
	}
	listed, err := l.listed()
	if err != nil {
		return err
	}
	switch {
	case l.wheel.Armed() != open:
		return fmt.Errorf("%d deadlines for %d connections", l.wheel.Armed(), open)
	case len(l.free)+open != len(l.slots):
		return fmt.Errorf("%d slots free, %d taken, of %d", len(l.free), open, len(l.slots))
	case listed != streams || l.m.streams.Load() != int64(streams) || r.s.streams.Load() != int64(streams):
		return fmt.Errorf("%d streams, %d listed, %d and %d counted", streams, listed, l.m.streams.Load(), r.s.streams.Load())
	case l.m.connections.Load() != int64(open) || r.s.admission.Connections() != int64(open):
		return fmt.Errorf("%d connections, %d and %d counted", open, l.m.connections.Load(), r.s.admission.Connections())
	case len(l.out) > 0:
		return fmt.Errorf("%d bytes were left behind by a turn: %.80q", len(l.out), l.out)
	case slices.ContainsFunc(l.jobs, func(j *job) bool { return j.preparing || j.handed || j.head != nil || j.svc != nil }):
		return errors.New("a free job is not as new")
	}
	return nil
}

var _ io.Writer = (*syncBuffer)(nil)

// listeners opens n streams that listen to everything, and checks their acknowledgements.
func (r *rig) listeners(n int) []*fakePeer {
	r.t.Helper()
	var peers []*fakePeer
	for i := range n {
		p := r.connect()
		p.listen(strconv.Itoa(i))
		peers = append(peers, p)
	}
	return peers
}

// updated reports that the resource has changed.
func updated(s *mcp.Server, uri string) {
	_ = s.ResourceUpdated(context.Background(), &mcp.ResourceUpdatedNotificationParams{URI: uri})
}

// noRead is the handler of resources that nobody reads.
func noRead(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	return nil, mcp.ResourceNotFoundError(req.Params.URI)
}
