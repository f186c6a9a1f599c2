package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"github.com/mooring-mcp/mooring/server/internal/engine"
	"github.com/mooring-mcp/mooring/server/internal/rejoin"
)

// This file serves Options.Other. A connection belongs to a loop until the head of a request for
// another path is complete. Then an http.Server of the Server's own has it, with all that its
// client has sent since that request began. It stays there: a later request for an endpoint is
// served as one of net/http, and may move to a loop for the time of its response.

// startOther starts the http.Server that serves Options.Other. It is the first home.
func (s *Server) startOther() {
	o := &s.opts
	s.other = &home{closed: s.admission.Released, hs: &http.Server{
		Handler:           http.HandlerFunc(s.serveOther),
		ReadHeaderTimeout: finite(o.HeadTimeout),
		IdleTimeout:       finite(o.IdleTimeout),
		MaxHeaderBytes:    o.MaxHead,
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return s.base },
	}}
	s.joinHome(s.other, new(net.TCPAddr), rejoin.Options{WriteStall: finite(o.WriteTimeout)})
	s.homes.list.Store(&[]*home{s.other})
}

// finite returns d, or 0 if d is a limit that is turned off.
func finite(d time.Duration) time.Duration {
	if d >= forever {
		return 0
	}
	return d
}

// serveOther serves a request on a connection that a loop has handed over.
func (s *Server) serveOther(w http.ResponseWriter, r *http.Request) {
	if s.endpoints.Load().policy.Takes(r.URL.EscapedPath()) || r.Body == nil || r.Body == http.NoBody || s.opts.BodyTimeout >= forever {
		s.ServeHTTP(w, r)
		return
	}
	body := &slowBody{ReadCloser: r.Body, rc: http.NewResponseController(w), limit: s.opts.BodyTimeout}
	body.extend()
	defer body.extend()
	r = r.WithContext(r.Context()) // net/http looks at the body of its own
	r.Body = body
	s.ServeHTTP(w, r)
}

// slowBody is content whose client must send some in time whenever it is read, be it by the handler
// or by net/http, which reads what the handler leaves. What happens between two reads is the
// handler's business.
type slowBody struct {
	io.ReadCloser
	rc    *http.ResponseController
	limit time.Duration
	ended bool // it has been read to its end, or the client is late
}

// Read implements io.Reader.
func (b *slowBody) Read(p []byte) (int, error) {
	b.extend()
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF && !b.ended {
		_ = b.rc.SetReadDeadline(time.Time{}) // net/http reads on, to notice the end of the client
	}
	b.ended = b.ended || err != nil
	return n, err
}

// extend gives the client the limit from now on.
func (b *slowBody) extend() {
	if !b.ended {
		_ = b.rc.SetReadDeadline(time.Now().Add(b.limit))
	}
}

// isOther reports whether the Server's own http.Server serves r. The connection has a place of its
// own then.
func (s *Server) isOther(r *http.Request) bool {
	return s.other != nil && r.Context().Value(http.ServerContextKey) == s.other.hs
}

// reserve counts a request of net/http, or the connection of one, unless there are too many. It is
// not for those that are counted: see isCounted.
func (s *Server) reserve(r *http.Request) bool {
	if s.isOther(r) {
		s.admission.Retain()
		return true
	}
	_, ok := s.admission.Reserve(false)
	return ok
}

// isCounted reports whether the connection of r has a place and carries no other request meanwhile,
// so that r needs no place of its own.
func (s *Server) isCounted(r *http.Request) bool { return r.ProtoMajor == 1 && s.isTLS(r) }

// passOn gives the connection to net/http, with the request at the beginning of b and whatever
// follows. If responses to earlier requests wait for the client, that has to wait too. It returns
// 0, as parseHead does for a connection that is ending.
func (c *conn) passOn(now tick, b []byte) int {
	l := c.loop
	s := l.srv
	if c.flush(); c.state == connStateClosed {
		return 0
	}
	switch {
	case s.draining.Load():
		return c.refuseOther(now, shuttingDown)
	case c.has(flagBeyond) && s.admission.Connections() > s.admission.Limit():
		s.admission.CountRefused()
		return c.refuseOther(now, tooManyConnections)
	case c.sk.OutboundBuffered() > 0:
		c.setState(now, connStateIdle)
		c.flags |= flagChoked
		c.arm(now + 1)
		return 0
	}
	nc, err := l.base.Duplicate(c.sk)
	if err != nil {
		if engine.IsExhausted(err) {
			s.logger().Warn("server: no descriptor to hand a connection over to Options.Other", "err", err)
			return c.refuseOther(now, tooManyConnections)
		}
		c.close(closeReset) // the peer has disconnected
		return 0
	}
	input := bytes.Clone(bytes.TrimLeft(b, "\r\n")) // net/http takes no empty line before a request
	s.admission.Retain()
	nc = c.named(nc)
	closed := c.passPlace(s.other.closed)
	c.close(closeOther)
	s.other.back.Give(nc, input, closed)
	return 0
}

// refuseOther answers a request that is not handed over with 503, and ends the connection.
func (c *conn) refuseOther(now tick, reason string) int {
	l := c.loop
	l.beginRequest(c.x)
	c.flags |= flagClose | flagUnread
	c.x.verdict = endpoint.Refuse(503, reason)
	c.answer(now)
	return 0
}

// drainOther begins to end the connections that were handed over: idle ones close, requests finish.
// The returned function closes what is left.
func (s *Server) drainOther(ctx context.Context) (end func()) {
	if s.other == nil {
		return func() {}
	}
	hs, done := s.other.hs, make(chan struct{})
	go func() {
		defer close(done)
		if err := hs.Shutdown(ctx); err != nil && !errors.Is(err, ctx.Err()) {
			s.logger().Warn("server: Options.Other", "err", err)
		}
	}()
	return func() {
		_ = hs.Close()
		<-done
	}
}

// yieldOther closes the connections that were handed over and have no request.
func (s *Server) yieldOther() {
	if s.other != nil {
		s.other.hs.SetKeepAlivesEnabled(false) // closes them
		s.other.hs.SetKeepAlivesEnabled(true)
	}
}
