package server

import (
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"github.com/mooring-mcp/mooring/server/internal/engine"
)

// A gate is the socket of a request that net/http serves. The request passes through it to a loop,
// where it has a conn like any other, and the response passes back to the goroutine of net/http.
// So there is one code path: the conn does not know how far the way to its client is.
//
// The conn sees a client of HTTP/1.0 that sends one request. Its response therefore has no chunked
// coding, which is net/http's to add, and it ends when the conn closes its socket.
//
// The goroutine owns the gate until it posts it (itemOpen), and again once it has seen the end.
type gate struct {
	// The goroutine sets these before it posts the gate, and does not change them.
	httpRequest
	loop *loop
	in   *buffer // the head of the request, as bytes of HTTP; nil once the conn has read it

	// The loop alone uses these.
	conn    *conn
	at      handle  // of conn; set before the conn writes, so that the goroutine may read it then
	content *buffer // of the request; the conn takes it
	held    bool    // the goroutine is woken at the end of the turn
	cut     bool    // what waits for the client is dropped
	closed  bool

	wake  chan struct{} // has room for one
	timer *time.Timer   // the goroutine's; nil until it needs one
	left  atomic.Int64  // bytes that the conn has written and the goroutine has not passed on
	away  atomic.Bool   // the connection is on its way to the loop

	// The goroutine sets it before it gives the connection to the engine, and then the loop has it.
	moved *movement

	mu     sync.Mutex // guards what follows
	out    *buffer    // what the conn has written and the goroutine has not taken; nil if nothing
	end    gateEnd
	stays  bool // the response is a stream that stays open
	moving bool // the same as away
	lost   bool // the client has disconnected: see rawWriter
	known  bool // conn is set

	writing http.ResponseWriter // while the goroutine may wait in one of its methods
	cutting sync.WaitGroup      // of what ends that wait
}

// An httpRequest is what a loop sees of a request that net/http serves, except its bytes.
type httpRequest struct {
	r        *http.Request // the loop uses its header fields and the values of its context
	host     *http.Server  // nil if none serves the request
	mount    *mount
	svc      *service // nil if the path decides
	who      *identity
	judged   authOutcome // what authentication has found out; authOK if who sends it is known
	excess   excess      // of the client's address, for which who sends it is not found out
	peer     netip.AddrPort
	trust    endpoint.Trust
	counted  bool   // the request has no place of its own: see Server.isCounted
	unread   bool   // net/http has yet to read the content, which nobody wants
	flushes  bool   // the response can be sent piece by piece
	messages string // of HTTP+SSE: the URL reference to post to, up to the session's parameter
}

// A mount says how the requests of a handler are served. It is immutable.
type mount struct {
	policy    *endpoint.Policy // nil if own
	maxBody   int64            // Options.MaxBody of the handler
	sse       bool             // the handler is of HTTP+SSE
	own       bool             // the handler is the Server itself: a request has its own path
	stateless bool             // there are no sessions
	json      bool             // the answer to a call is a single message
}

// gateEnd says how the conn of a gate has ended.
type gateEnd uint8

const (
	gateOpen  gateEnd = iota
	gateEnded         // the response is complete once the client has all that waits
	gateCut           // the response is not complete, and the client must notice
)

// gateRoom is how many bytes may wait in a gate before they count as unsent. They are on their way
// to the kernel, as in the buffer of a socket.
const gateRoom = 16 << 10

var _ engine.Socket = (*gate)(nil)

var gates = sync.Pool{New: func() any { return &gate{wake: make(chan struct{}, 1)} }}

// takeGate returns a gate for a request. Its in and content are empty.
func takeGate(of httpRequest) *gate {
	g := gates.Get().(*gate)
	g.httpRequest = of
	return g
}

// putGate takes back a gate that no loop knows any more.
func putGate(g *gate) {
	release(g.in)
	release(g.content)
	release(g.out)
	select {
	case <-g.wake:
	default:
	}
	g.httpRequest, g.loop, g.in = httpRequest{}, nil, nil
	g.conn, g.at, g.content = nil, handle{}, nil
	g.held, g.cut, g.closed = false, false, false
	g.out, g.end, g.stays, g.known, g.writing = nil, gateOpen, false, false, nil
	g.left.Store(0)
	gates.Put(g)
}

// Next implements engine.Socket. The bytes stay valid until the end of serveGate.
func (g *gate) Next(int) ([]byte, error) {
	in := g.in
	if g.in = nil; in == nil {
		return nil, nil
	}
	return in.B, nil
}

// Write implements engine.Socket. It runs on the loop.
func (g *gate) Write(b []byte) (int, error) {
	g.mu.Lock()
	if g.out == nil {
		g.out = takeBuffer(len(b))
	}
	g.out.Add(b)
	g.left.Add(int64(len(b)))
	g.mu.Unlock()
	if !g.held {
		g.ring()
	}
	return len(b), nil
}

// OutboundBuffered implements engine.Socket.
func (g *gate) OutboundBuffered() int {
	left := int(g.left.Load())
	if g.away.Load() {
		return max(1, left)
	}
	return max(0, left-gateRoom)
}

// Flush implements engine.Socket. The goroutine is under way.
func (g *gate) Flush() error { return nil }

// SetLinger implements engine.Socket.
func (g *gate) SetLinger(int) error {
	g.cut = true
	return nil
}

// ring wakes the goroutine.
func (g *gate) ring() {
	select {
	case g.wake <- struct{}{}:
	default: // it has yet to see what woke it before
	}
}

// stay notes that the response is a stream that stays open. It runs on the loop.
func (g *gate) stay() {
	g.mu.Lock()
	g.stays = true
	g.mu.Unlock()
}

// take returns what the conn has written since, nil if nothing, and how it has ended.
func (g *gate) take() (out *buffer, end gateEnd) {
	g.mu.Lock()
	defer g.mu.Unlock()
	out, g.out = g.out, nil
	return out, g.end
}

// waitsIn notes that the goroutine may wait in a method of w, or, if w is nil, that it does not.
func (g *gate) waitsIn(w http.ResponseWriter) {
	g.mu.Lock()
	g.writing = w
	g.mu.Unlock()
}

// isCut reports whether the conn has ended before its response was complete.
func (g *gate) isCut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.end == gateCut
}

// look reports whether the response is a stream that stays open, and whether the client is lost.
func (g *gate) look() (stays, lost bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.stays, g.lost
}

// passed notes that the client has n bytes more, or that they are with net/http. A conn that has
// waited for that is notified. The goroutine calls it.
func (g *gate) passed(n int) {
	if left := g.left.Add(-int64(n)); left <= gateRoom && left+int64(n) > gateRoom {
		g.loop.postItem(item{kind: itemPassed, h: g.at})
	}
}

// close is engine.Loop.CloseSocket for a gate. err is nil if this side closes. From the end of
// close on the gate is the goroutine's.
func (g *gate) close(err error) {
	if g.closed {
		return
	}
	g.closed = true // first: what ends the conn may try to close it
	c, l := g.conn, g.loop
	end := gateEnded
	if g.cut || c.state != connStateLinger {
		end = gateCut
	}
	c.closed(err)
	g.released()
	if !g.finish(end) {
		l.putConn(c)
	}
}

// released takes back the place of the request, if it has one.
func (g *gate) released() {
	if !g.counted {
		g.loop.srv.admission.Released()
	}
}

// finish gives the gate back to the goroutine, and reports whether the connection is on its way to
// the loop: then the engine has the conn for its handler.
func (g *gate) finish(end gateEnd) (moving bool) {
	g.mu.Lock()
	g.end = end
	wake := g.wake
	moving = g.moving
	if w := g.writing; w != nil && end == gateCut {
		// Not here, as middleware may stand in between.
		g.cutting.Go(func() { _ = http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0)) })
	}
	g.mu.Unlock()
	select {
	case wake <- struct{}{}:
	default:
	}
	return moving
}
