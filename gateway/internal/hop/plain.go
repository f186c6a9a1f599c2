package hop

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A plain sends HTTP/1.1 requests to one origin without TLS and without a proxy. It does what
// http.Transport does, but in the goroutine of its caller, which needs half the processor time. It
// has as many connections as callers at once.
type plain struct {
	addr string
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
	max  int // callers at once
	idle time.Duration

	mu     sync.Mutex
	free   []*plainConn // the most recently used last
	closed bool
}

// A content is the Body of a request to a plain, which takes b and does not read it.
type content struct{ b []byte }

func (*content) Read([]byte) (int, error) { return 0, io.EOF }

func (*content) Close() error { return nil }

// A plainConn is a connection of a plain. Between getting and putting it belongs to one caller.
type plainConn struct {
	*conn
	p    *plain
	br   *bufio.Reader
	peek *peeker // nil where it cannot be
	out  []byte
	head int // how much more may be read of the head of a response; below 0: no limit
}

const (
	// maxAtOnce is the length of a request that is written before the response is read. The kernel
	// takes it at once. Longer ones are written meanwhile.
	maxAtOnce  = 32 << 10
	maxInterim = 5 // responses with a status below 200
	// writeGrace is how long a request may still be written after its response has ended.
	writeGrace = 50 * time.Millisecond
)

var (
	errField   = errors.New("hop: a header field has an invalid value")
	errHead    = errors.New("hop: the head of the response is too long")
	errInterim = errors.New("hop: unexpected interim response")
)

// newPlain returns a plain for the URL, or nil if requests to it need TLS or a proxy.
func (u *Upstream) newPlain() *plain {
	if u.url.Scheme != "http" || u.opts.Transport != nil {
		return nil
	}
	for i := range len(u.url.Host) {
		if c := u.url.Host[i]; c >= 0x80 || c == '%' {
			return nil // http.Transport knows how such names are written
		}
	}
	if via, err := http.ProxyFromEnvironment(&http.Request{URL: u.url}); via != nil || err != nil {
		return nil
	}
	return &plain{addr: hostPort(u.url), dial: u.dial, max: u.opts.Concurrency + 1, idle: u.opts.IdleTimeout}
}

func hostPort(u *url.URL) string { return net.JoinHostPort(u.Hostname(), port(u)) }

// RoundTrip implements [http.RoundTripper]. Of its request it uses the method, URL, fields, and a
// Body that is a *content.
func (p *plain) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	for {
		c, reused, err := p.get(ctx)
		if err != nil {
			return nil, err
		}
		if trace := httptrace.ContextClientTrace(ctx); trace != nil {
			trace.GotConn(httptrace.GotConnInfo{Conn: c.conn, Reused: reused})
		}
		before := c.written.Load()
		resp, err := c.exchange(ctx, req)
		if err == nil {
			return resp, nil
		}
		_ = c.Close()
		if !reused || c.written.Load() != before || ctx.Err() != nil {
			return nil, err
		}
	}
}

// get returns a connection that is free and alive, or a new one.
func (p *plain) get(ctx context.Context) (c *plainConn, reused bool, err error) {
	for {
		p.mu.Lock()
		n := len(p.free)
		if n == 0 {
			p.mu.Unlock()
			break
		}
		c = p.free[n-1]
		p.free[n-1] = nil
		p.free = p.free[:n-1]
		p.mu.Unlock()
		if c.alive() {
			return c, true, nil
		}
		_ = c.Close()
	}
	nc, err := p.dial(ctx, "tcp", p.addr)
	if err != nil {
		return nil, false, err
	}
	own := nc.(*conn)
	own.idle = p.idle
	c = &plainConn{conn: own, p: p}
	c.br = bufio.NewReader(c)
	c.peek = newPeeker(own.Conn)
	return c, false, nil
}

// put gives a connection back.
func (p *plain) put(c *plainConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || c.isLast() {
		_ = c.Close()
		return
	}
	if len(p.free) >= p.max { // some have closed themselves meanwhile
		open := p.free[:0]
		for _, f := range p.free {
			if !f.gone.Load() {
				open = append(open, f)
			}
		}
		clear(p.free[len(open):])
		p.free = open
	}
	p.free = append(p.free, c)
}

// CloseIdleConnections closes the connections that are not in use, and makes others close when they
// are given back.
func (p *plain) CloseIdleConnections() {
	p.mu.Lock()
	free := p.free
	p.free, p.closed = nil, true
	p.mu.Unlock()
	for _, c := range free {
		_ = c.Close()
	}
}

// alive reports whether the server has neither closed the idle connection nor sent anything on it.
func (c *plainConn) alive() bool {
	return !c.gone.Load() && c.br.Buffered() == 0 && (c.peek == nil || c.peek.quiet())
}

// Read implements [io.Reader] for the buffer. It limits the head of a response.
func (c *plainConn) Read(b []byte) (int, error) {
	if c.head == 0 {
		return 0, errHead
	}
	if c.head > 0 && len(b) > c.head {
		b = b[:c.head]
	}
	n, err := c.conn.Read(b)
	if c.head > 0 {
		c.head -= n
	}
	return n, err
}

// exchange sends a request and reads the head of its response.
func (c *plainConn) exchange(ctx context.Context, req *http.Request) (*http.Response, error) {
	if err := c.compose(req); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	b := &plainBody{c: c, stop: stop}
	if len(c.out) <= maxAtOnce {
		if _, err := c.Write(c.out); err != nil {
			stop()
			return nil, err
		}
	} else {
		b.written = make(chan error, 1)
		go func(out []byte) {
			_, err := c.Write(out)
			b.written <- err
		}(c.out)
	}
	if cap(c.out) > keepBuffer {
		c.out = nil
	}
	resp, err := c.response(req)
	if err != nil {
		stop()
		_ = c.Close()
		if b.written != nil {
			<-b.written // does not wait: the connection is closed
		}
		return nil, err
	}
	b.r, b.keep = resp.Body, !resp.Close
	resp.Body = b
	if resp.ContentLength == 0 {
		b.end(true)
	}
	return resp, nil
}

// response reads the head of a response.
func (c *plainConn) response(req *http.Request) (*http.Response, error) {
	for range maxInterim {
		c.head = maxHead
		resp, err := http.ReadResponse(c.br, req)
		c.head = -1
		switch {
		case err == io.ErrUnexpectedEOF:
			return nil, io.EOF
		case err != nil:
			return nil, err
		case resp.StatusCode >= 200:
			return resp, nil
		case resp.StatusCode == http.StatusSwitchingProtocols:
			return nil, errInterim
		}
	}
	return nil, errInterim
}

// compose puts the request into c.out.
func (c *plainConn) compose(req *http.Request) error {
	b := append(c.out[:0], req.Method...)
	b = append(b, ' ')
	b = append(b, req.URL.RequestURI()...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, req.URL.Host...)
	b = append(b, "\r\n"...)
	for name, values := range req.Header {
		for _, v := range values {
			if strings.ContainsAny(v, "\r\n\x00") {
				return errField
			}
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, v...)
			b = append(b, "\r\n"...)
		}
	}
	if req.Method == http.MethodPost {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, req.ContentLength, 10)
		b = append(b, "\r\n"...)
	}
	b = append(b, "\r\n"...)
	if body, ok := req.Body.(*content); ok {
		b = append(b, body.b...)
	}
	c.out = b
	return nil
}

// A plainBody is the content of a response. At its end the connection is free.
type plainBody struct {
	c       *plainConn
	r       io.ReadCloser
	stop    func() bool
	written chan error // of a long request; nil otherwise
	keep    bool
	ended   atomic.Bool
}

func (b *plainBody) Read(p []byte) (int, error) {
	if b.ended.Load() {
		return 0, io.EOF
	}
	n, err := b.r.Read(p)
	if err != nil {
		b.end(err == io.EOF)
	}
	return n, err
}

// Close closes the connection if the response has not ended.
func (b *plainBody) Close() error {
	b.end(false)
	return nil
}

// end gives the connection back, or closes it if something of the response, or of the request, is
// missing.
func (b *plainBody) end(complete bool) {
	if !b.ended.CompareAndSwap(false, true) {
		return
	}
	complete = b.stop() && complete && b.keep
	if b.written != nil {
		if complete {
			select {
			case err := <-b.written:
				complete = err == nil
				b.written = nil
			case <-time.After(writeGrace):
				complete = false
			}
		}
		if b.written != nil {
			_ = b.c.Close()
			<-b.written // does not wait: the connection is closed
		}
	}
	if complete {
		b.c.p.put(b.c)
	} else {
		_ = b.c.Close()
	}
}
