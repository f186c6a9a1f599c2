package hop

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/sse"
)

const (
	// maxRefusal is how much of a response with a status of 400 or more is kept.
	maxRefusal = 1 << 20
	maxDetail  = 4 << 10
	// maxBlank is how much white space may precede a response.
	maxBlank = 64 << 10
	// keepBuffer is the capacity of the largest buffer that is used again.
	keepBuffer = 64 << 10
)

var (
	errNoMessage = errors.New("hop: the response ended without a message for the request")
	errNotMCP    = errors.New("hop: the response is neither JSON nor an event stream")
	errNotJSON   = errors.New("hop: the response is not a valid message")
	errTooLong   = errors.New("hop: the response is too long")
)

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 8<<10); return &b }}

var byteOrderMark = []byte("\xEF\xBB\xBF")

func getBuffer() *[]byte { return buffers.Get().(*[]byte) }

func putBuffer(b *[]byte) {
	if cap(*b) <= keepBuffer {
		*b = (*b)[:0]
		buffers.Put(b)
	}
}

// read reads the response of j to its end.
func (s *sender) read(j *job, resp *http.Response) {
	defer s.finish(resp)
	s.u.probed(j, resp.StatusCode)
	switch {
	case resp.StatusCode >= 300:
		s.refused(j, resp)
	case j.verb != request:
	case encoded(resp.Header):
		s.fail(j, &link.Error{Reason: link.Malformed, Status: resp.StatusCode, Err: errEncoding})
	case j.link.kind == SSE2024:
		s.u.accepted(j)
	default:
		if j.method == "initialize" {
			j.link.begin(resp.Header.Get("Mcp-Session-Id"))
		}
		s.content(j, resp)
	}
}

// encoded reports whether the content has a coding, which no request asks for.
func encoded(h http.Header) bool {
	coding := h.Get("Content-Encoding")
	return coding != "" && !strings.EqualFold(coding, "identity")
}

// probed reports the probe of the breaker as a success if its request was given up meanwhile, or
// stays open.
func (u *Upstream) probed(j *job, status int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if j.probe && (j.settled || j.endless) && status < 500 {
		u.report(j, true)
	}
}

// fail fails j, of whose response something may be left to read.
func (s *sender) fail(j *job, err *link.Error) {
	s.u.mu.Lock()
	defer s.u.mu.Unlock()
	s.u.fail(j, err, false)
}

// begin begins the session that an upstream has answered initialize with.
func (l *Link) begin(session string) {
	l.u.mu.Lock()
	defer l.u.mu.Unlock()
	if session != "" && !validSessionID(session) {
		l.u.tell(slog.LevelWarn, "the upstream gave a session ID that is not valid")
		session = ""
	}
	l.session, l.expired, l.header = session, false, nil
}

// accepted leaves j, whose POST was accepted, to the stream of the session.
func (u *Upstream) accepted(j *job) {
	u.mu.Lock()
	defer u.mu.Unlock()
	j.then = remote
}

// content reads a response that was successful.
func (s *sender) content(j *job, resp *http.Response) {
	buf := getBuffer()
	defer putBuffer(buf)
	b, err := s.beginning(resp.Body, buf)
	status := resp.StatusCode
	switch {
	case len(b) == 0 && err == io.EOF:
		s.empty(j, status)
	case len(b) == 0 && err == errTooLong:
		s.fail(j, &link.Error{Reason: link.Malformed, Status: status, Err: errNotMCP})
	case len(b) == 0:
		s.lost(j, nil, err)
	case b[0] == '{' || b[0] == '[':
		s.json(j, resp, buf, err)
	case isEventStream(resp.Header) && b[0] != '<', strings.IndexByte(":deir", b[0]) >= 0:
		s.stream(j, resp.Body, b, err)
	default:
		s.fail(j, &link.Error{Reason: link.Malformed, Status: status, Detail: detail(b), Err: errNotMCP})
	}
}

func isEventStream(h http.Header) bool {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(kind), "text/event-stream")
}

// beginning reads until there is something but white space, and returns it. The content of buf is
// that. The type of a response is not always the one that its header says.
func (s *sender) beginning(r io.Reader, buf *[]byte) ([]byte, error) {
	for blank := 0; ; {
		n, err := r.Read((*buf)[:cap(*buf)])
		b := (*buf)[:n]
		b = bytes.TrimPrefix(b, byteOrderMark)
		b = bytes.TrimLeft(b, " \t\r\n")
		if len(b) > 0 {
			*buf = (*buf)[:copy((*buf)[:cap(*buf)], b)]
			return *buf, err
		}
		if blank += n; blank > maxBlank {
			return nil, errTooLong
		}
		if err != nil {
			return nil, err
		}
	}
}

// empty is for a response without content.
func (s *sender) empty(j *job, status int) {
	s.u.mu.Lock()
	defer s.u.mu.Unlock()
	if status == http.StatusAccepted && j.link.streaming && !j.endless {
		j.then = remote // some servers answer on the stream of the session
		return
	}
	s.u.fail(j, &link.Error{Reason: link.Malformed, Status: status, Err: errNoMessage}, true)
}

// lost is for a response that broke off, or ended without the message that it was for.
func (s *sender) lost(j *job, d *sse.Decoder, err error) {
	s.u.mu.Lock()
	defer s.u.mu.Unlock()
	if d != nil && d.LastEventID() != "" && !j.link.modern() && !j.settled {
		progress := d.LastEventID() != j.lastID
		j.lastID, j.retry = d.LastEventID(), defaultRetry
		if t, ok := d.ReconnectionTime(); ok {
			j.retry = t
		}
		if progress {
			j.tries = 0
		} else {
			j.tries++
		}
		if s.u.park(j) {
			return
		}
	}
	if err == nil || err == io.EOF {
		err = errNoMessage
	}
	s.u.fail(j, &link.Error{Reason: link.Lost, Err: err}, true)
}

// json reads a response that is one JSON value, of which buf has the beginning.
func (s *sender) json(j *job, resp *http.Response, buf *[]byte, err error) {
	status := resp.StatusCode
	limit := s.u.opts.MaxMessage
	if err = readAll(resp.Body, buf, limit, err); err == errTooLong {
		s.fail(j, &link.Error{Reason: link.TooLong, Status: status, Err: errTooLong})
		return
	}
	if err != nil {
		s.lost(j, nil, err)
		return
	}
	valid := j.link.take(j, bytes.TrimRight(*buf, " \t\r\n"))
	s.u.mu.Lock()
	defer s.u.mu.Unlock()
	if !j.settled {
		cause := errNoMessage
		if !valid {
			cause = errNotJSON
		}
		s.u.fail(j, &link.Error{Reason: link.Malformed, Status: status, Detail: detail(*buf), Err: cause}, true)
	}
}

// readAll appends what is left of r to buf, which may have limit bytes then, unless err, that of
// the read before, ends it.
func readAll(r io.Reader, buf *[]byte, limit int, err error) error {
	for err == nil {
		b := *buf
		if len(b) > limit {
			return errTooLong
		}
		if len(b) == cap(b) {
			grown := make([]byte, len(b), min(2*cap(b), limit+1))
			copy(grown, b)
			b = grown
		}
		var n int
		n, err = r.Read(b[len(b):cap(b)])
		*buf = b[:len(b)+n]
	}
	switch {
	case len(*buf) > limit:
		return errTooLong
	case err == io.EOF:
		return nil
	}
	return err
}

// stream reads a response that is an event stream, of which b is the beginning.
func (s *sender) stream(j *job, r io.Reader, b []byte, err error) {
	d := &sse.Decoder{MaxEventSize: s.u.opts.MaxMessage}
	invalid := false
	if err = s.events(d, r, b, err, func(e *sse.Event) {
		if len(e.Data) > 0 && (e.Type == "" || e.Type == "message") && !j.link.take(j, e.Data) {
			invalid = true
		}
	}); errors.Is(err, sse.ErrTooLarge) {
		s.fail(j, &link.Error{Reason: link.TooLong, Status: http.StatusOK, Err: err})
		return
	}
	if invalid {
		s.u.mu.Lock()
		defer s.u.mu.Unlock()
		s.u.fail(j, &link.Error{Reason: link.Malformed, Status: http.StatusOK, Err: errNotJSON}, true)
		return
	}
	s.lost(j, d, err)
}

// events calls each for the events of a stream, of which b is the beginning, until it ends.
func (s *sender) events(d *sse.Decoder, r io.Reader, b []byte, err error, each func(*sse.Event)) error {
	buf := getBuffer()
	defer putBuffer(buf)
	for {
		for e, invalid := range d.Decode(b) {
			if invalid != nil {
				return invalid
			}
			each(e)
		}
		if err != nil {
			return err
		}
		var n int
		n, err = r.Read((*buf)[:cap(*buf)])
		b = (*buf)[:n]
	}
}

// refused is for a response with a status that is not a success.
func (s *sender) refused(j *job, resp *http.Response) {
	buf := getBuffer()
	defer putBuffer(buf)
	ended := readAll(resp.Body, buf, min(maxRefusal, s.u.opts.MaxMessage), nil) == nil
	b := bytes.TrimSpace(bytes.TrimPrefix(*buf, byteOrderMark))
	if encoded(resp.Header) {
		b = nil
	}
	// "The 421 (Misdirected Request) status code indicates that the request was directed at a server
	// that is unable or unwilling to produce an authoritative response" (RFC 9110, 15.5.20).
	unsent := resp.StatusCode == http.StatusMisdirectedRequest
	err := &link.Error{Reason: link.Status, Status: resp.StatusCode, Unsent: unsent, RetryAfter: retryAfter(resp.Header, time.Now()), Detail: detail(b)}
	l := j.link
	switch {
	case j.verb != request:
		s.u.log.Debug("upstream refused a message", "method", j.method, "status", resp.StatusCode)
		return
	case l.expires(j, resp.StatusCode, b):
		err = &link.Error{Reason: link.Expired, Status: resp.StatusCode, Unsent: j.lastID == "", Detail: err.Detail}
	case j.lastID != "":
		err.Reason = link.Lost
		s.u.mu.Lock()
		again := (err.Status >= 500 || err.Status == http.StatusTooManyRequests) && s.u.parkAgain(j)
		s.u.mu.Unlock()
		if again {
			return
		}
	case ended && resp.StatusCode >= 400 && len(b) > 0 && (b[0] == '{' || b[0] == '['):
		l.take(j, b)
	}
	s.u.mu.Lock()
	defer s.u.mu.Unlock()
	s.u.fail(j, err, ended)
}

// expires reports whether a response says that the server does not know the session, and notes it.
func (l *Link) expires(j *job, status int, content []byte) bool {
	l.u.mu.Lock()
	defer l.u.mu.Unlock()
	if l.kind != Streamable || l.session == "" || l.modern() || j.method == "initialize" {
		return false
	}
	var env jsonrpc.Envelope
	var code int64
	ours := false
	if env.Decode(content) == nil && env.Kind == jsonrpc.KindErrorResponse {
		id, ok := jsonrpc.IntValue(env.ID)
		ours = ok && id == j.id
		code = env.ErrorObject().Code
	}
	switch {
	case status == http.StatusNotFound:
		// A method that the server does not know may be a 404 too.
		l.expired = !ours || code != jsonrpc.CodeMethodNotFound
	case status == http.StatusBadRequest:
		general := code > -32100 && code <= -32000 || code == jsonrpc.CodeInvalidRequest
		l.expired = (!ours || general) && bytes.Contains(bytes.ToLower(content), []byte("session"))
	default:
		return false
	}
	return l.expired
}

// detail returns as much of what an upstream said as an error has.
func detail(b []byte) string {
	return strings.ToValidUTF8(string(b[:min(len(b), maxDetail)]), "\uFFFD")
}
