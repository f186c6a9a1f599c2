package server

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"syscall"

	"github.com/mooring-mcp/mooring/server/internal/endpoint"
)

// A fakePeer is the socket of a connection and the client at its other end.
type fakePeer struct {
	r       *rig
	c       *conn
	in      []byte // what Next returns
	got     []byte // what the client has received and the test has not looked at
	pending []byte // what this side holds until the client reads
	room    int    // how many bytes the kernel still takes; negative: any number
	writes  int    // system calls
	closed  bool
	shut    bool   // this side has sent its FIN
	reset   bool   // an RST has been sent
	fail    error  // the error of the next write
	onWrite func() // called at the end of each write
	boom    bool   // the next write panics
	method  string // Mcp-Method of the last request
	addr    netip.AddrPort
}

// connect opens a connection to a loopback listener.
func (r *rig) connect() *fakePeer { return r.connectFrom(endpoint.TrustLoopback) }

func (r *rig) connectFrom(from endpoint.Trust) *fakePeer {
	p := &fakePeer{r: r, room: -1}
	p.c = newConn(r.l, from, false)
	r.s.admission.Reserve(false)
	p.c.open(p, r.l.present())
	r.peers = append(r.peers, p)
	return p
}

// Next implements engine.Socket.
func (p *fakePeer) Next(int) ([]byte, error) {
	b := p.in
	p.in = nil
	return b, nil
}

// Write implements engine.Socket as gnet does: it copies and keeps what the kernel does not take,
// and an error closes the connection before Write returns.
func (p *fakePeer) Write(b []byte) (int, error) {
	p.writes++
	if p.boom {
		p.boom = false
		panic("a fault below the server")
	}
	if p.closed {
		p.r.t.Errorf("write to a closed socket: %.80q", b)
		return 0, errSocketClosed
	}
	if p.shut {
		p.r.t.Errorf("write after the FIN: %.80q", b)
	}
	if p.fail != nil {
		p.onClose(p.fail)
		return 0, p.fail
	}
	p.pending = append(p.pending, b...)
	p.drain()
	if f := p.onWrite; f != nil {
		p.onWrite = nil
		f()
	}
	return len(b), nil
}

var errSocketClosed = errors.New("use of closed network connection")

// drain moves to the client as many bytes as the kernel takes.
func (p *fakePeer) drain() {
	n := len(p.pending)
	if p.room >= 0 {
		n = min(n, p.room)
		p.room -= n
	}
	p.got = append(p.got, p.pending[:n]...)
	p.pending = p.pending[n:]
	if len(p.pending) == 0 {
		p.pending = nil
	}
}

// OutboundBuffered implements engine.Socket.
func (p *fakePeer) OutboundBuffered() int { return len(p.pending) }

// Flush implements engine.Socket.
func (p *fakePeer) Flush() error {
	p.drain()
	return nil
}

// SetLinger implements engine.Socket.
func (p *fakePeer) SetLinger(secs int) error {
	p.reset = secs == 0
	return nil
}

func (p *fakePeer) onClose(err error) {
	if p.closed {
		p.r.t.Error("socket closed twice")
		return
	}
	p.closed = true
	p.c.closed(err)
	p.r.s.admission.Released()
}

func (p *fakePeer) onCloseWrite() error {
	if p.shut {
		p.r.t.Error("two FINs")
	}
	if len(p.pending) > 0 {
		p.r.t.Error("a FIN before all bytes are sent")
	}
	p.shut = true
	return nil
}

// slow makes the client stop reading after n more bytes.
func (p *fakePeer) slow(n int) { p.room = n }

// catchUp makes the client read everything.
func (p *fakePeer) catchUp() {
	p.room = -1
	p.drain()
}

// send delivers b in reads of at most 64 KiB, and runs the loop.
func (p *fakePeer) send(b string) {
	if _, v, ok := strings.Cut(b, "Mcp-Method: "); ok {
		p.method, _, _ = strings.Cut(v, "\r")
	}
	for len(b) > 0 && !p.closed {
		n := min(len(b), cap(p.r.read))
		p.deliver(b[:n])
		b = b[n:]
	}
	p.r.run()
}

// deliver delivers one read, as one call of Received does.
func (p *fakePeer) deliver(b string) {
	p.in = append(p.r.read[:0], b...)
	buf := p.in
	func() {
		defer p.r.s.recoverConn(p.c)
		p.c.recv(p.r.l.present())
	}()
	// The buffer belongs to the next connection now. Overwrite it, so that code that still uses
	// it fails.
	for i := range buf {
		buf[i] = 0xaa
	}
}

// fin ends what the client sends.
func (p *fakePeer) fin() {
	p.onClose(io.EOF)
	p.r.run()
}

// rst resets the connection from the client's side.
func (p *fakePeer) rst() {
	p.onClose(fmt.Errorf("read: %w", syscall.ECONNRESET))
	p.r.run()
}

// take returns what the client has received since the last call of take.
func (p *fakePeer) take() string {
	b := string(p.got)
	p.got = p.got[:0]
	return b
}

func (p *fakePeer) wantNothing(why string) {
	p.r.t.Helper()
	if s := p.take(); s != "" {
		p.r.t.Fatalf("%s: received %.300q, want nothing", why, s)
	}
}

func (p *fakePeer) wantBytes(why, want string) {
	p.r.t.Helper()
	if s := p.take(); s != want {
		p.r.t.Fatalf("%s: received\n%.600q\nwant\n%.600q", why, s, want)
	}
}

func (p *fakePeer) wantOpen(why string) {
	p.r.t.Helper()
	if p.closed || p.shut {
		p.r.t.Fatalf("%s: closed (reason %v)", why, p.c.reason)
	}
	p.r.wantInvariants(why)
}

func (p *fakePeer) wantClosed(why string, want closeReason) {
	p.r.t.Helper()
	if !p.closed || p.c.state != connStateClosed {
		p.r.t.Fatalf("%s: state %v, want closed", why, p.c.state)
	}
	if p.c.reason != want {
		p.r.t.Fatalf("%s: closed because of %v, want %v", why, p.c.reason, want)
	}
	if n := p.r.l.m.closes[want].Load(); n == 0 {
		p.r.t.Fatalf("%s: closes because of %v are not counted", why, want)
	}
	p.r.wantInvariants(why)
}

// wantLinger checks that the response was followed by a FIN and that the connection waits for the
// peer's FIN.
func (p *fakePeer) wantLinger(why string) {
	p.r.t.Helper()
	if p.closed || !p.shut || p.c.state != connStateLinger {
		p.r.t.Fatalf("%s: closed %v, FIN %v, state %v; want a FIN and state linger", why, p.closed, p.shut, p.c.state)
	}
	p.r.wantInvariants(why)
}
