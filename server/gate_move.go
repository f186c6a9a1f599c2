package server

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/mooring-mcp/mooring/server/internal/rejoin"
)

// This file takes a connection from net/http and gives it to the loop of its conn, when the
// response is a stream that stays open, or a call that takes a while. From then on the connection
// costs what a connection of a listener costs, and no goroutine. It runs on the goroutine of
// net/http; what the loop does is in gate_arrive.go.

// moveAfter is how long a call may take before its connection moves.
const moveAfter = 50 * time.Millisecond

// movement is what the loop needs to continue a response on the connection itself. The goroutine
// writes it before it gives the connection to the engine.
type movement struct {
	home   *home
	begun  bool   // net/http has sent the head and what followed, with the chunked coding
	close  bool   // the connection ends with the response
	extra  []byte // field lines of middleware for the head, each after a CRLF
	shared bool   // extra has a field that says which origins may see the response
	input  []byte // what net/http had read of what follows the request
}

// canMove reports whether the connection may be taken from net/http: it must carry one request at
// a time, as plain bytes, and no middleware may transform the response.
func (p *passage) canMove() bool {
	r := p.g.r
	if r.ProtoMajor != 1 || r.ProtoMinor != 1 || r.TLS != nil || p.gone || p.g.unread || r.Method == http.MethodHead || !canHijack(p.w) {
		return false
	}
	h := p.w.Header()
	if h["Content-Encoding"] != nil || h["Trailer"] != nil || h["Transfer-Encoding"] != nil {
		return false
	}
	if p.began && !p.stream {
		return false // it is nearly complete
	}
	s := p.g.loop.srv
	to := s.homeOf(r)
	return to != nil && to.takesMoved() && !s.draining.Load()
}

// canHijack reports whether w says that its connection can be taken.
func canHijack(w http.ResponseWriter) bool {
	for {
		switch t := w.(type) {
		case http.Hijacker:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return false
		}
	}
}

// move tries to move the connection to the loop. It reports whether the goroutine has nothing left
// to do.
func (p *passage) move() bool {
	g := p.g
	s := g.loop.srv
	p.tried = true
	if !p.canMove() {
		return false
	}
	if !s.reserve(g.r) {
		return false
	}
	to := s.homeOf(g.r)
	if to == nil || !to.back.Leave() {
		s.admission.Unreserve()
		return false
	}
	stay := func() {
		to.back.Gone(true)
		s.admission.Unreserve()
	}
	if !g.startMoving() {
		stay()
		return false
	}
	mv := &movement{
		home:  to,
		begun: p.began,
		close: g.r.Close || strings.EqualFold(p.w.Header().Get("Connection"), "close"),
	}
	if !p.began {
		mv.extra, mv.shared = extraFields(p.w.Header())
	}
	nc, buffered, err := http.NewResponseController(p.w).Hijack()
	if err != nil {
		stay()
		g.stopMoving()
		return false
	}
	if !isMovable(nc) {
		stay()
		mv.home.fixed.Store(true)
		g.stopMoving()
		p.w = newRawWriter(nc, p)
		return false
	}
	mv.input = bufferedInput(buffered.Reader)
	if back, ok := nc.(*rejoin.Conn); ok {
		mv.input = append(mv.input, back.TakeInput()...)
	}
	g.moved = mv
	if err := s.engine.Adopt(g.loop.idx, nc, g.conn); err != nil {
		// The server shuts down, and lets this response finish.
		stay()
		g.moved = nil
		g.stopMoving()
		p.w = newRawWriter(nc, p)
		return false
	}
	if g.timer != nil {
		g.timer.Stop()
	}
	g.loop.in.call() // the engine opens it in the loop's next turn
	return true
}

// bufferedInput returns what br has read and nobody has taken.
func bufferedInput(br *bufio.Reader) []byte {
	n := br.Buffered()
	if n == 0 {
		return nil
	}
	b, _ := br.Peek(n)
	return append([]byte(nil), b...)
}

// extraFields returns the field lines that middleware has set for a response, without those that
// the server writes itself. Shared reports whether they say which origins may see it.
func extraFields(h http.Header) (extra []byte, shared bool) {
	for name, values := range h {
		switch name {
		case "Content-Type", "Content-Length", "Connection", "Date", "Cache-Control", "X-Accel-Buffering", "Allow", "Retry-After", "Mcp-Session-Id":
			continue
		}
		if !isToken(name) || strings.HasPrefix(name, http.TrailerPrefix) {
			continue
		}
		shared = shared || name == "Access-Control-Allow-Origin"
		for _, v := range values {
			n := len(extra)
			line, ok := appendField(append(extra, "\r\n"...), name, v)
			if extra = line[:len(line)-2]; !ok {
				extra = line[:n]
			}
		}
	}
	return extra, shared
}

// startMoving begins to move the connection, unless the conn has ended. Until it has arrived, its
// client counts as slow.
func (g *gate) startMoving() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.end != gateOpen || !g.known {
		return false
	}
	g.moving = true
	g.away.Store(true)
	return true
}

// stopMoving ends a move that has failed.
func (g *gate) stopMoving() {
	g.mu.Lock()
	g.moving = false
	g.away.Store(false)
	g.mu.Unlock()
}

// isMovable reports whether an engine can take nc: it must be a socket without anything in between.
func isMovable(nc net.Conn) bool {
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn, *rejoin.Conn:
		return true
	}
	return false
}
