package server

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"github.com/mooring-mcp/mooring/sse"
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
}

// connect opens a connection to a loopback listener.
func (r *rig) connect() *fakePeer { return r.connectFrom(endpoint.TrustLoopback) }

func (r *rig) connectFrom(from endpoint.Trust) *fakePeer {
	p := &fakePeer{r: r, room: -1}
	p.c = &conn{loop: r.l, trust: from}
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

// A response is one that the client has received completely, except that the content of a stream
// may continue.
type response struct {
	p      *fakePeer
	status int
	head   http.Header
	body   string
	stream bool // body is the content of an event stream so far
	ended  bool // the last chunk of a stream has arrived
}

// next takes one response. Its status is 0 if there is none.
func (p *fakePeer) next(method string) *response {
	res := &response{p: p}
	if len(p.got) == 0 {
		return res
	}
	headEnd := bytes.Index(p.got, []byte("\r\n\r\n"))
	if headEnd < 0 {
		p.r.t.Fatalf("incomplete head: %.300q", p.got)
	}
	hr, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(p.got)), &http.Request{Method: method})
	if err != nil {
		p.r.t.Fatalf("%v: %.300q", err, p.got)
	}
	res.status, res.head = hr.StatusCode, hr.Header
	if hr.Close {
		res.head.Set("Connection", "close") // ReadResponse removes it
	}
	rest := p.got[headEnd+4:]
	switch {
	case hr.Header.Get("Content-Type") == "text/event-stream" && slices.Equal(hr.TransferEncoding, []string{"chunked"}):
		res.stream = true
		n := 0
		res.body, n, res.ended = p.dechunk(rest)
		rest = rest[n:]
	case hr.Header.Get("Content-Type") == "text/event-stream":
		res.stream, res.ended, res.body, rest = true, p.closed, string(rest), nil
	case method == "HEAD" || hr.StatusCode == 204 || hr.StatusCode == 100:
	default:
		if hr.ContentLength < 0 || int(hr.ContentLength) > len(rest) {
			p.r.t.Fatalf("content of %d bytes announced, %d arrived: %.300q", hr.ContentLength, len(rest), p.got)
		}
		res.body, rest = string(rest[:hr.ContentLength]), rest[hr.ContentLength:]
	}
	p.got = append(p.got[:0], rest...)
	return res
}

// dechunk removes the whole chunks from the beginning of b.
func (p *fakePeer) dechunk(b []byte) (content string, n int, ended bool) {
	for n < len(b) {
		line := bytes.Index(b[n:], []byte("\r\n"))
		if line < 0 {
			p.r.t.Fatalf("chunk size is incomplete: %.300q", b[n:])
		}
		size, err := strconv.ParseUint(string(b[n:n+line]), 16, 31)
		if err != nil || n+line+2+int(size)+2 > len(b) {
			p.r.t.Fatalf("bad chunk (%v): %.300q", err, b[n:])
		}
		n += line + 2
		content += string(b[n : n+int(size)])
		n += int(size)
		if string(b[n:n+2]) != "\r\n" {
			p.r.t.Fatalf("chunk does not end with CRLF: %.300q", b[n:])
		}
		n += 2
		if size == 0 {
			return content, n, true
		}
	}
	return content, n, false
}

func (p *fakePeer) wantResponse(why string, status int) *response {
	p.r.t.Helper()
	res := p.next("POST")
	if res.status != status {
		p.r.t.Fatalf("%s: status %d %q, want %d", why, res.status, res.body, status)
	}
	return res
}

// wantCode is wantResponse for a JSON-RPC error, or for a result if code is 0. It checks each
// message against the official schema.
func (p *fakePeer) wantCode(why string, status, code int) *response {
	p.r.t.Helper()
	res := p.wantResponse(why, status)
	if ct := res.head.Get("Content-Type"); ct != "application/json" {
		p.r.t.Fatalf("%s: content type %q, want application/json", why, ct)
	}
	p.wantCodeIn(why, res.body, code)
	return res
}

// wantCodeIn is wantCode for a message by itself.
func (p *fakePeer) wantCodeIn(why, msg string, code int) {
	p.r.t.Helper()
	has := strings.Contains(msg, `"error":{"code":`+strconv.Itoa(code)+`,`)
	if code == 0 {
		has = strings.Contains(msg, `"result":{`) && !strings.Contains(msg, `"error":`)
	}
	if !has {
		p.r.t.Fatalf("%s: %s, want code %d", why, msg, code)
	}
	p.check([]byte(msg))
}

// check checks a message against the official schema.
func (p *fakePeer) check(msg []byte) {
	p.r.t.Helper()
	rev := "2026-07-28"
	if p.method == "initialize" {
		rev = "2025-11-25" // the newest revision that has it
	}
	p.r.schema.Message(p.r.t, rev, p.method, msg)
}

func (res *response) wantField(why, name, want string) *response {
	res.p.r.t.Helper()
	if got := res.head.Get(name); got != want {
		res.p.r.t.Fatalf("%s: %s: %q, want %q", why, name, got, want)
	}
	return res
}

// events returns the data of each event in the content of a stream. A comment counts as an event
// with the data ":".
func (p *fakePeer) events(content string) (data []string) {
	p.r.t.Helper()
	for _, block := range strings.SplitAfter(content, "\n\n") {
		if block == endpoint.Heartbeat {
			data = append(data, ":")
			continue
		}
		var d sse.Decoder
		n := 0
		for e, err := range d.Decode([]byte(block)) {
			if err != nil {
				p.r.t.Fatalf("%v: %q", err, block)
			}
			n++
			data = append(data, string(e.Data))
			p.check(e.Data)
		}
		if block != "" && n != 1 {
			p.r.t.Fatalf("%d events in the block %q, want at most 1", n, block)
		}
	}
	return data
}

// more returns the events that arrived on an open stream since the last call; "END" stands for
// the last chunk.
func (p *fakePeer) more() []string {
	p.r.t.Helper()
	content, n, ended := p.dechunk(p.got)
	p.got = append(p.got[:0], p.got[n:]...)
	data := p.events(content)
	if ended {
		data = append(data, "END")
	}
	return data
}
