package server

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
)

// This file runs on the goroutine of net/http that serves a request: it hands the request to a loop
// and passes the response on to the client.

// serveHTTP serves a request of net/http. svc is the service that it is for, which the caller
// holds; if it is nil, the path decides.
func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request, m *mount, svc *service) {
	q := requestOf(w, r, m, svc)
	if m.sse && q.r.Method != http.MethodPost {
		q.messages = messagesOf(r)
	}
	s.authenticate(r, &q)
	content, err := s.contentOf(w, r, &q)
	length := r.ContentLength
	switch {
	case isTooLong(err):
		w.Header().Set("Connection", "close")
		s.refuseHTTP(w, 413, "content too large")
		return
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.Header().Set("Connection", "close")
		s.refuseHTTP(w, 408, "the content took too long")
		return
	case err != nil:
		s.refuseHTTP(w, 400, "the content did not arrive")
		return
	case content != nil:
		length = int64(len(content.B))
	}
	g := takeGate(q)
	g.content = content
	g.in = takeBuffer(headRoom)
	if g.in.B, err = m.appendRequest(g.in.B, r, length); err != nil {
		putGate(g)
		s.refuseHTTP(w, 400, "malformed request")
		return
	}
	if g.counted = s.isCounted(r); !g.counted && !s.reserve(r) {
		putGate(g)
		s.admission.CountRefused()
		s.refuseHTTP(w, 503, tooManyConnections)
		return
	}
	g.loop = s.loops[s.admission.NextLoop(1)]
	if !g.loop.postItem(item{kind: itemOpen, gate: g}) {
		g.released()
		putGate(g)
		s.refuseHTTP(w, 503, shuttingDown)
		return
	}
	p := passage{g: g, w: w}
	defer p.abandon()
	if !p.run() {
		panic(http.ErrAbortHandler)
	}
}

// abandon ends the request if a method of the host's ResponseWriter has panicked.
func (p *passage) abandon() {
	if !p.over {
		p.g.waitsIn(nil)
		p.g.cutting.Wait()
		p.leave(nil)
	}
}

// refuseLate ends a response whose request has a deadline of the host's that is over, so that its
// client may still be there. It reports false if the client must see that the response is cut off.
func (p *passage) refuseLate() bool {
	if p.began {
		return false
	}
	p.g.loop.srv.refuseHTTP(p.w, 504, "the request took too long")
	return true
}

// headRoom is the size of the buffer in which the head of a request is written. Most fit.
const headRoom = 1 << 10

// contentOf reads the content of r. It sets a deadline for that if the http.Server has none.
func (s *Server) contentOf(w http.ResponseWriter, r *http.Request, q *httpRequest) (_ *buffer, err error) {
	n := s.lengthOf(r, q)
	if n == 0 {
		q.unread = r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0
		return nil, nil
	}
	if hs := q.host; hs != nil && hs.ReadTimeout <= 0 {
		rc := http.NewResponseController(w)
		if rc.SetReadDeadline(time.Now().Add(s.opts.BodyTimeout)) == nil {
			// The deadline must not end the request itself: net/http continues to read, and takes
			// an error for the end of the client. Where content is left, it limits the time in
			// which net/http reads that.
			defer func() {
				if err == nil {
					_ = rc.SetReadDeadline(time.Time{})
				}
			}()
		}
	}
	return readContent(r.Body, n, min(s.opts.MaxBody, q.mount.maxBody))
}

// refuseHTTP answers a request that no loop gets.
func (s *Server) refuseHTTP(w http.ResponseWriter, status int, reason string) {
	s.outside.Add(1)
	code := jsonrpc.CodeInvalidRequest
	if status >= 500 {
		code = jsonrpc.CodeInternalError
	}
	h := w.Header()
	h.Set("Content-Type", endpoint.TypeJSON)
	if status == 503 {
		h.Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	_, _ = w.Write(jsonrpc.AppendError(nil, nil, &jsonrpc.Error{Code: jsonrpc.Code(code), Message: reason}))
}

// messagesOf returns the reference, relative to the URL of r, to which the client of an HTTP+SSE
// stream posts its messages, up to the session's parameter. It has no path: whatever middleware has
// removed from it, the client knows the URL that it has used. A parameter of the client's cannot
// take the place of the session's.
func messagesOf(r *http.Request) string {
	if !isTarget(r.URL.RawQuery) {
		return "?"
	}
	ref := "?"
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if pair != "" && !strings.HasPrefix(pair, sessionParam) {
			ref += pair + "&"
		}
	}
	return ref
}

// A passage passes the response of a gate on to its client.
type passage struct {
	g     *gate
	w     http.ResponseWriter
	gone  bool // the client has disconnected, and the loop has been told
	tried bool // whether the connection can move has been found out
	over  bool // run has returned, and the gate is not ours any more

	began    bool // the head has been passed on
	stream   bool // the response is an event stream
	deadline bool // a deadline for writes may be set
}

// run passes everything on until the response is complete, the client has disconnected or the
// connection has moved. It reports false if the client must see that the response is cut off.
func (p *passage) run() (ok bool) {
	ok = p.passAll()
	p.over = true
	return ok
}

// passAll is run.
func (p *passage) passAll() bool {
	g := p.g
	done := g.r.Context().Done()
	late := p.moveTimer()
	for {
		stays, lost := g.look()
		if lost {
			p.leave(nil)
		}
		if stays && !p.tried {
			if p.move() {
				return true
			}
			g.loop.srv.homeOf(g.r) // so that the stream ends when the http.Server shuts down
		}
		out, end := g.take()
		switch {
		case end == gateCut:
			release(out)
			late := p.gone && errors.Is(g.r.Context().Err(), context.DeadlineExceeded)
			p.end(false)
			if late {
				return p.refuseLate()
			}
			return p.gone
		case out != nil:
			p.pass(out, end)
			release(out)
			continue
		case end == gateEnded:
			p.end(true)
			return true
		}
		select {
		case <-g.wake:
		case <-late:
			late = nil
			if !p.tried && p.move() {
				return true
			}
		case <-done:
			done = nil
			p.leave(nil)
		}
	}
}

// moveTimer returns a channel that reports when the connection of a call is to move, or nil if it
// cannot.
func (p *passage) moveTimer() <-chan time.Time {
	if r := p.g.r; r.ProtoMajor != 1 || r.TLS != nil {
		return nil
	}
	if t := p.g.timer; t != nil {
		t.Reset(moveAfter)
	} else {
		p.g.timer = time.NewTimer(moveAfter)
	}
	return p.g.timer.C
}

// end ends the passage, after a response that is complete or not. The gate is not used afterwards.
func (p *passage) end(complete bool) {
	p.g.cutting.Wait()
	raw, isRaw := p.w.(*rawWriter)
	switch {
	case isRaw:
		raw.end(complete && !p.gone)
	case p.deadline && !p.gone:
		_ = http.NewResponseController(p.w).SetWriteDeadline(time.Time{})
	}
	if p.g.timer != nil {
		p.g.timer.Stop()
	}
	if !p.gone && !isRaw { // otherwise something may know the gate
		putGate(p.g)
	}
}

// leave notifies the loop that the client has disconnected, or that writing has failed with err.
// The gate ends soon.
func (p *passage) leave(err error) {
	if p.gone {
		return
	}
	p.gone = true
	it := item{kind: itemGone, gate: p.g}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		it.arg = goneStalled
	}
	p.g.loop.postItem(it)
}

// pass passes on what the conn has written.
func (p *passage) pass(out *buffer, end gateEnd) {
	b := out.B
	if !p.began && !p.gone {
		n := p.passHead(b)
		p.g.passed(n)
		b = b[n:]
	}
	for len(b) > 0 {
		n := min(len(b), passSize)
		if !p.gone {
			p.write(b[:n], end)
		}
		p.g.passed(n)
		if b = b[n:]; len(b) > 0 && p.g.isCut() {
			return
		}
	}
	if p.stream && end == gateOpen && !p.gone {
		if !p.deadline { // the head came alone
			p.limit()
		}
		if err := http.NewResponseController(p.w).Flush(); err != nil {
			p.leave(err)
		}
	}
	p.unlimit()
}

// passSize is how much is written at a time: the loop must see that a slow client takes something.
const passSize = 32 << 10

// passHead passes on the head at the beginning of b, and returns its length. The conn writes a head
// with one call.
func (p *passage) passHead(b []byte) int {
	status, fields, n := endpoint.ReadHead(b)
	h := p.w.Header()
	values := make([]string, 0, 8)
	for name, value := range endpoint.Fields(fields) {
		switch key := fieldName(name); key {
		case "", "Date", "Connection":
		case "Vary":
			h.Add(key, string(value))
		default:
			if h[key] != nil && isCORS(key) {
				continue // middleware of the host's decides on that
			}
			values = append(values, fieldValue(value))
			h[key] = values[len(values)-1 : len(values) : len(values)]
			p.stream = p.stream || key == "Content-Type" && string(value) == typeStream
		}
	}
	p.began = true
	p.w.WriteHeader(status)
	return n
}

const typeStream = "text/event-stream"

// fieldName returns the name of a field that endpoint writes, as a constant.
func fieldName(name []byte) string {
	switch string(name) {
	case "Content-Type":
		return "Content-Type"
	case "Content-Length":
		return "Content-Length"
	case "Date":
		return "Date"
	case "Connection":
		return "Connection"
	case "Cache-Control":
		return "Cache-Control"
	case "Mcp-Session-Id":
		return "Mcp-Session-Id"
	}
	return http.CanonicalHeaderKey(string(name))
}

// fieldValue returns value, as a constant if it is one of the most frequent.
func fieldValue(value []byte) string {
	switch string(value) {
	case endpoint.TypeJSON:
		return endpoint.TypeJSON
	case typeStream:
		return typeStream
	}
	return string(value)
}

// isCORS reports whether a field says which origins may see a response.
func isCORS(key string) bool {
	const prefix = "Access-Control-"
	return len(key) > len(prefix) && key[:len(prefix)] == prefix
}

// write writes a piece. A client that does not take it in time counts as disconnected.
func (p *passage) write(b []byte, end gateEnd) {
	if p.stream || len(b) > smallContent || end == gateOpen {
		p.limit()
	}
	if _, err := p.w.Write(b); err != nil && !errors.Is(err, http.ErrBodyNotAllowed) {
		p.leave(err)
	}
}

// limit sets the deadline of the next write. A response that net/http keeps in its own buffer until
// the handler returns needs none.
func (p *passage) limit() {
	p.deadline = true
	p.g.waitsIn(p.w)
	if d := p.g.loop.srv.opts.WriteTimeout; d < forever {
		_ = http.NewResponseController(p.w).SetWriteDeadline(time.Now().Add(d))
	}
}

// unlimit notes that nothing is being written.
func (p *passage) unlimit() {
	if !p.deadline {
		return
	}
	p.g.waitsIn(nil)
	if p.g.r.ProtoMajor > 1 && !p.gone {
		// There the deadline ends the stream even if nothing is written.
		_ = http.NewResponseController(p.w).SetWriteDeadline(time.Time{})
	}
}
