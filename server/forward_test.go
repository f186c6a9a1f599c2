package server

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

// A quay is a Backend whose calls wait until the test says so.
type quay struct {
	mu      sync.Mutex
	open    []*mcp.Forward // started and not ended
	causes  []error
	atOnce  string // the result with which every call ends in Start; "" for none
	deaf    bool   // Cancel does not end the call
	started int
}

func (q *quay) Start(f *mcp.Forward) {
	q.mu.Lock()
	q.started++
	result := q.atOnce
	if result == "" {
		q.open = append(q.open, f)
	}
	q.mu.Unlock()
	if result != "" {
		f.Result([]byte(result))
	}
}

func (q *quay) Cancel(f *mcp.Forward, cause error) {
	q.mu.Lock()
	q.causes = append(q.causes, cause)
	deaf := q.deaf
	q.mu.Unlock()
	if !deaf {
		f.Error(errInternal)
	}
}

// take returns the calls that wait, the oldest first.
func (q *quay) take() []*mcp.Forward {
	q.mu.Lock()
	defer q.mu.Unlock()
	open := q.open
	q.open = nil
	return open
}

// cause returns why the only cancelled call was cancelled; nil if none was, or several.
func (q *quay) cause() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.causes) != 1 {
		return nil
	}
	return q.causes[0]
}

// at gives the rig a tool of an upstream behind q.
func (q *quay) at(s *mcp.Server) {
	raw := []byte(`{"name":"sail","inputSchema":{"type":"object"}}`)
	if errs := s.Replace("up", &mcp.Forwarded{Backend: q, Tools: []mcp.ForwardedFeature{{Raw: raw}}}); errs != nil {
		panic(errors.Join(errs...))
	}
}

const sailed = `{"content":[{"type":"text","text":"there"}],"x":  1}`

// A forwarded call is answered by whoever has the answer, with all that comes before it.
func TestForwardedCall(t *testing.T) {
	r := newRig(t, nil)
	q := new(quay)
	q.at(r.ms)
	p := r.connect()
	for _, big := range []bool{false, true} {
		req := callTool("sail", `{}`)
		req.meta = `,"progressToken":"mine"`
		if big {
			req = req.big()
			req.name = "sail"
		}
		p.send(req.String())
		var fs []*mcp.Forward
		r.await("started", func() bool { fs = append(fs, q.take()...); return len(fs) == 1 })
		p.wantNothing("before the answer")
		if n := r.s.calls.Load(); n != 1 {
			t.Errorf("%d calls are counted", n)
		}
		if big {
			fs[0].Progress([]byte(`{"progressToken":3,"progress":1.50}`))
		}
		go fs[0].Result([]byte(sailed))
		r.await("answered", func() bool { return r.s.calls.Load() == 0 && len(p.got) > 0 })
		r.run()
		res := p.wantResponse("the answer", 200)
		if !strings.Contains(res.body, `"content":[{"type":"text","text":"there"}],"x":  1`) || res.stream != big {
			t.Errorf("got %s", res.body)
		}
		if big && !strings.Contains(res.body, `"progressToken":"mine","progress":1.50}`) {
			t.Errorf("no progress in %s", res.body)
		}
	}
	// An answer that is there before Start returns is sent in the same turn.
	q.atOnce = sailed
	p.send(callTool("sail", `{}`).String() + addCall(1, 2).String())
	p.wantResponse("at once", 200)
	p.wantResponse("the next one", 200)
	p.wantOpen("and the connection serves on")
	r.wantInvariants("after all")
	if st := r.s.Stats(); st.Panics != 0 {
		t.Errorf("%d panics", st.Panics)
	}
}

// What ends a forwarded call ends it once, and tells the upstream why.
func TestForwardedCallIsCancelled(t *testing.T) {
	info := &auth.TokenInfo{UserID: "ann"}
	for _, tt := range []struct {
		why    string
		do     func(*rig, *fakePeer)
		cause  error
		status int // of the response; 0 for none
	}{
		{"a disconnect", func(_ *rig, p *fakePeer) { p.fin() }, errClientGone, 0},
		{"a reset", func(_ *rig, p *fakePeer) { p.rst() }, errClientGone, 0},
		{"its time", func(r *rig, _ *fakePeer) { r.pass(3 * time.Second) }, errCallTimeout, 200},
		{"the end of the server", func(r *rig, _ *fakePeer) { r.s.cancelForwards(errShutdown); r.run() }, errShutdown, 200},
		{"Revoke", func(r *rig, _ *fakePeer) {
			done := make(chan int)
			go func() { done <- r.s.Revoke(func(ti *auth.TokenInfo) bool { return ti.UserID == "ann" }) }()
			r.await("revoked", func() bool {
				select {
				case n := <-done:
					return n == 1
				default:
					return false
				}
			})
		}, errRevoked, 401},
	} {
		for _, deaf := range []bool{false, true} {
			r := newRig(t, &Options{CallTimeout: 2 * time.Second, Heartbeat: time.Minute})
			q := &quay{deaf: deaf}
			q.at(r.ms)
			p := r.connect()
			p.sendAs(info, callTool("sail", `{}`))
			fs := q.take()
			if len(fs) != 1 {
				t.Fatalf("%s: %d calls have started", tt.why, len(fs))
			}
			tt.do(r, p)
			if got := q.cause(); got != tt.cause {
				t.Errorf("%s: cause %v, want %v", tt.why, got, tt.cause)
			}
			if deaf {
				if n := r.s.calls.Load(); n != 1 {
					t.Errorf("%s: %d calls are counted while the upstream has one", tt.why, n)
				}
				if fs[0].Progress([]byte(`{"progress":1}`)) {
					t.Errorf("%s: progress was taken", tt.why)
				}
				fs[0].Result([]byte(sailed))
			}
			r.run()
			fs[0].Result([]byte(sailed)) // too late
			r.run()
			if n := r.s.calls.Load(); n != 0 {
				t.Errorf("%s: %d calls are left", tt.why, n)
			}
			if tt.status != 0 && (!deaf || tt.why != "the end of the server") {
				p.wantResponse(tt.why, tt.status)
				p.wantNothing(tt.why)
			} else if tt.status == 0 && len(p.got) > 0 {
				t.Errorf("%s: got %q", tt.why, p.got)
			}
			r.wantInvariants(tt.why)
		}
	}
}

// An upstream that cannot be reached is the server's 503, in every era.
func TestForwardedUnavailable(t *testing.T) {
	r := newPort(t, nil)
	q := new(quay)
	q.at(r.ms)
	r.tell()
	p := r.dial(0)
	s := r.initialize("2025-11-25")
	for _, msg := range []string{callTool("sail", `{}`).String(), s.message(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"sail"}}`)} {
		p.send(msg)
		for _, f := range q.take() {
			f.Unavailable("the upstream is down")
		}
		r.run()
		res := p.wantResponse("unavailable", 503)
		if res.head.Get("Retry-After") == "" || !strings.Contains(res.body, `-32603`) || !strings.Contains(res.body, "the upstream is down") {
			t.Errorf("got %v %s", res.head, res.body)
		}
	}
}

// Forwarded calls count against MaxCalls, and give their places back.
func TestForwardedCallsAreBounded(t *testing.T) {
	r := newRig(t, &Options{MaxCalls: 3})
	q := new(quay)
	q.at(r.ms)
	var peers []*fakePeer
	for range 4 {
		p := r.connect()
		p.send(callTool("sail", `{}`).String())
		peers = append(peers, p)
	}
	peers[3].wantResponse("one too many", 503)
	fs := q.take()
	for _, f := range fs {
		f.Result([]byte(sailed))
	}
	r.run()
	for _, p := range peers[:3] {
		p.wantResponse("the others", 200)
	}
	if len(fs) != 3 || r.s.calls.Load() != 0 {
		t.Errorf("%d have started, %d are left", len(fs), r.s.calls.Load())
	}
}

// Requests with the same id, at once in one session, each get their own answer on their own POST,
// and a cancellation reaches the newest.
func TestForwardedIDsRepeat(t *testing.T) {
	r := newPort(t, nil)
	q := &quay{deaf: true}
	q.at(r.ms)
	r.tell()
	s := r.initialize("2025-06-18")
	const n = 10
	var peers []*fakePeer
	for i := range n {
		p := r.dial(i % 2)
		p.send(s.message(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"sail"}}`))
		peers = append(peers, p)
	}
	fs := q.take()
	if len(fs) != n {
		t.Fatalf("%d of %d have started", len(fs), n)
	}
	s.notify(1, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
	if got := q.cause(); got != errCancelled {
		t.Errorf("cause %v", got)
	}
	for i, f := range fs {
		told := f.Message([]byte(`{"level":"error","data":1}`))
		if told != (i < n-1) {
			t.Errorf("call %d takes messages: %v", i, told)
		}
	}
	for i, f := range fs {
		f.Result(fmt.Appendf(nil, `{"content":[],"n":%d}`, i))
	}
	r.run()
	for i, p := range peers {
		if res := p.wantResponse("answered", 200); !strings.Contains(res.body, fmt.Sprintf(`"id":1,"result":{"content":[],"n":%d}`, i)) {
			t.Errorf("call %d got %s", i, res.body)
		}
	}
	r.wantHarmony("after all")
}

// Ten thousand calls that wait have no goroutines.
func TestForwardedCallsHaveNoGoroutines(t *testing.T) {
	n := 10_000
	if raceEnabled() || testing.Short() {
		n = 1000
	}
	r := newRig(t, &Options{MaxCalls: n})
	r.schema = nil
	q := new(quay)
	q.at(r.ms)
	peers := make([]*fakePeer, n)
	for i := range peers {
		peers[i] = r.connect()
	}
	before := runtime.NumGoroutine()
	for _, p := range peers {
		p.send(callTool("sail", `{}`).String())
	}
	fs := q.take()
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines with %d calls, %d before", after, len(fs), before)
	}
	if len(fs) != n || r.s.calls.Load() != int64(n) {
		t.Fatalf("%d have started, %d are counted", len(fs), r.s.calls.Load())
	}
	for i, f := range fs {
		if i%2 == 0 {
			peers[i].fin() // half of the clients do not wait for it
		}
		f.Result([]byte(sailed))
	}
	r.run()
	for i, p := range peers {
		if got := strings.Contains(string(p.got), "there"); got != (i%2 == 1) {
			t.Fatalf("client %d: answered %v", i, got)
		}
	}
	if n := r.s.calls.Load(); n != 0 {
		t.Errorf("%d calls are left", n)
	}
}

// A forwarded call costs one allocation of this module's: the Forward.
func TestAllocsOfForwardedCalls(t *testing.T) {
	if raceEnabled() {
		t.Skip("the race detector allocates")
	}
	l := newIdleLoop(t, nil)
	q := &quay{atOnce: sailed}
	q.at(l.srv.main.mcp)
	s := l.connect()
	in := []byte(callTool("sail", `{"a":1}`).String())
	wantAllocs(t, "an upstream that answers at once", 2, func() { s.deliver(in) })
	waits := &quay{}
	waits.at(l.srv.main.mcp)
	wantAllocs(t, "an upstream that answers later", 3, func() {
		s.deliver(in)
		for _, f := range waits.take() {
			f.Result([]byte(sailed))
		}
		l.run()
	})
}

func BenchmarkForwardedCall(b *testing.B) {
	k := newBench(b)
	q := &quay{atOnce: `{"resultType":"complete","content":[{"type":"text","text":"ahoy"}]}`}
	q.at(k.l.srv.main.mcp)
	k.run(callTool("sail", `{"text":"ahoy"}`).String(), `"text":"ahoy"`)
}

// Over HTTP+SSE every answer of a call reaches the stream, whatever status it would have elsewhere.
func TestForwardedErrorsOverSSE(t *testing.T) {
	r := newSSERig(t, nil)
	q := new(quay)
	q.at(r.ms)
	p := r.openSSE()
	p.rev = "2024-11-05"
	for i, end := range []func(*mcp.Forward){
		func(f *mcp.Forward) { f.Unavailable("the upstream is down") },
		func(f *mcp.Forward) { f.Error(&jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: "odd"}) },
		func(f *mcp.Forward) { f.Result([]byte(`{"content":[]}`)) },
	} {
		p.post("accepted", sseCall(fmt.Sprint(i), "sail", `{}`))
		for _, f := range q.take() {
			end(f)
		}
		r.run()
		p.want("answered", []string{`"id":0,"error":{"code":-32603`, `"id":1,"error":{"code":-32600`, `"id":2,"result":{"content"`}[i])
	}
}

// BenchmarkForwardedCallLater is a call whose answer comes from another goroutine.
func BenchmarkForwardedCallLater(b *testing.B) {
	k := newBench(b)
	calls := make(chan *mcp.Forward, 1)
	go func() {
		for f := range calls {
			f.Result([]byte(`{"resultType":"complete","content":[{"type":"text","text":"ahoy"}]}`))
		}
	}()
	b.Cleanup(func() { close(calls) })
	raw := []byte(`{"name":"sail","inputSchema":{"type":"object"}}`)
	if errs := k.l.srv.main.mcp.Replace("up", &mcp.Forwarded{Backend: pier(calls), Tools: []mcp.ForwardedFeature{{Raw: raw}}}); errs != nil {
		b.Fatal(errors.Join(errs...))
	}
	k.run(callTool("sail", `{"text":"ahoy"}`).String(), `"text":"ahoy"`)
}

// A pier is a Backend that hands its calls on.
type pier chan *mcp.Forward

func (p pier) Start(f *mcp.Forward) { p <- f }

func (pier) Cancel(f *mcp.Forward, _ error) { f.Unavailable("cancelled") }
