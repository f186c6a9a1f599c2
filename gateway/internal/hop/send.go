package hop

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

const maxRedirects = 3

var errEncoding = errors.New("hop: the response has a content coding that was not asked for")

// A sender sends one request after another and reads what they get. It belongs to one goroutine.
type sender struct {
	u         *Upstream
	transport http.RoundTripper
	base      context.Context

	conn  *conn // of the last request; nil if it got none
	named bool  // the last request got a connection
	start int64 // how much had been written to conn before
}

func newSender(u *Upstream, t http.RoundTripper) *sender {
	s := &sender{u: u, transport: t}
	s.base = httptrace.WithClientTrace(u.life, &httptrace.ClientTrace{GotConn: s.gotConn})
	return s
}

// gotConn is called by the transport in the goroutine of s.
func (s *sender) gotConn(info httptrace.GotConnInfo) {
	s.release()
	s.named = true
	if s.conn = below(info.Conn); s.conn != nil {
		s.conn.begin()
		s.start = s.conn.written.Load()
	}
}

// release says that the connection is not used by s any more.
func (s *sender) release() {
	if s.conn != nil {
		s.conn.end()
		s.conn = nil
	}
}

// unwritten reports whether nothing of the last request was written to a connection.
func (s *sender) unwritten() bool {
	return !s.named || s.conn != nil && s.conn.written.Load() == s.start
}

// run does the job, and settles it unless its response comes later.
func (s *sender) run(j *job) {
	ctx, cancel := context.WithCancel(s.base)
	defer cancel()
	s.u.mu.Lock()
	j.cancel = cancel
	settled := j.settled
	s.u.mu.Unlock()
	if settled {
		return
	}
	defer s.release()
	resp, err := s.exchange(ctx, j)
	if err != nil {
		s.failed(j, err)
		return
	}
	s.read(j, resp)
}

// failed is the end of a job whose request got no response.
func (s *sender) failed(j *job, err *link.Error) {
	s.u.mu.Lock()
	defer s.u.mu.Unlock()
	if j.lastID != "" && err.Reason == link.Lost && s.u.parkAgain(j) {
		return
	}
	if j.verb != request && !j.settled {
		s.u.tellDropped(j.method, err)
	}
	s.u.fail(j, err, true)
}

// exchange sends the request of j, again as the package comment says, and returns the response.
func (s *sender) exchange(ctx context.Context, j *job) (*http.Response, *link.Error) {
	header, target, value, err := s.head(ctx, j)
	if err != nil {
		return nil, err
	}
	fresh := false
	for redirects := 0; ; {
		resp, err := s.roundTrip(ctx, j, target, header)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode == http.StatusUnauthorized && !fresh && s.u.opts.Credential != nil {
			fresh = true
			s.u.opts.Credential.Refused(j.link.who, value)
			again, _, next, err := s.head(ctx, j)
			if err == nil && next != value {
				header, value = again, next
				s.finish(resp)
				continue
			}
		}
		to, permanent := redirect(target, resp)
		if to == nil || redirects == maxRedirects {
			return resp, nil
		}
		redirects++
		s.finish(resp)
		if target = to; permanent {
			j.link.moved(to)
		}
	}
}

// moved remembers where a permanent redirect leads.
func (l *Link) moved(to *url.URL) {
	l.u.mu.Lock()
	defer l.u.mu.Unlock()
	if l.kind == Streamable {
		l.target = to
	}
}

// roundTrip sends one request and returns the head of the response.
func (s *sender) roundTrip(ctx context.Context, j *job, target *url.URL, header http.Header) (*http.Response, *link.Error) {
	req := (&http.Request{Method: http.MethodPost, URL: target, Host: target.Host, Header: header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	switch {
	case j.verb == deletion:
		req.Method = http.MethodDelete
	case j.lastID != "" || j.body == nil:
		req.Method = http.MethodGet
	default:
		req.ContentLength = int64(len(j.body))
		if _, ok := s.transport.(*plain); ok {
			req.Body = &content{b: j.body}
			break
		}
		// http.Transport knows this type, and writes head and content at once.
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(j.body)), nil }
		req.Body, _ = req.GetBody()
	}
	s.release()
	s.named = false
	s.u.stats.requests.Add(1)
	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		return nil, &link.Error{Reason: link.Lost, Unsent: s.unwritten(), Err: err}
	}
	if s.conn != nil {
		s.conn.head(resp.Header, s.u.opts.IdleTimeout)
	}
	return resp, nil
}

// head returns the header fields for j, where it goes, and the value of Authorization that the
// credential gave.
func (s *sender) head(ctx context.Context, j *job) (h http.Header, target *url.URL, value string, fault *link.Error) {
	u, l := s.u, j.link
	if c := u.opts.Credential; c != nil {
		token := ""
		if l.token != nil {
			token = l.token()
		}
		var err error
		if value, err = c.Authorization(ctx, l.who, token); err != nil {
			return nil, nil, "", &link.Error{Reason: link.Down, Unsent: true, Err: err}
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if l.header == nil || l.auth != value {
		l.auth = value
		l.header = l.common()
	}
	h = l.header
	switch {
	case j.method == "initialize":
		h = maps.Clone(h)
		delete(h, "Mcp-Protocol-Version")
		delete(h, "Mcp-Session-Id")
	case j.verb == deletion:
		h = maps.Clone(h)
		delete(h, "Content-Type")
	case j.body == nil || j.lastID != "":
		h = maps.Clone(h)
		h["Accept"] = []string{"text/event-stream"}
		delete(h, "Content-Type")
		if j.lastID != "" {
			h["Last-Event-Id"] = []string{j.lastID}
		}
	case l.modern() || len(j.fields) > 0:
		h = maps.Clone(h)
		l.repeat(h, j)
	}
	if target = l.target; l.kind == SSE2024 && j.verb == request && j.body == nil {
		target = u.url
	}
	return h, target, value, nil
}

// common returns the fields of all requests of the link. Called with Upstream.mu held.
func (l *Link) common() http.Header {
	h := l.u.opts.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	h["Accept"] = []string{"application/json, text/event-stream"}
	h["Content-Type"] = []string{"application/json"}
	// Tomcat announces its time limit only to clients that send this.
	h["Connection"] = []string{"keep-alive"}
	if len(h["User-Agent"]) == 0 {
		h["User-Agent"] = []string{"mooring-gateway"}
	}
	if l.auth != "" {
		h["Authorization"] = []string{l.auth}
	}
	if l.version != "" {
		h["Mcp-Protocol-Version"] = []string{l.version}
	}
	if l.session != "" && !l.modern() {
		h["Mcp-Session-Id"] = []string{l.session}
	}
	return h
}

// repeat adds the fields of one message. Those that the message repeats belong to 2026-07-28.
// Called with Upstream.mu held.
func (l *Link) repeat(h http.Header, j *job) {
	modern := l.modern() && j.method != ""
	if modern {
		h["Mcp-Method"] = []string{j.method}
		if j.name != "" {
			h["Mcp-Name"] = []string{fieldText(j.name)}
		}
	}
	for _, f := range j.fields {
		name := http.CanonicalHeaderKey(f.Name)
		if len(name) > len(paramPrefix) && name[:len(paramPrefix)] == paramPrefix {
			if value := fieldText(f.Value); modern && validField(name, value) {
				h[name] = []string{value}
			}
			continue
		}
		if !forbidden(name) && validField(name, f.Value) {
			h[name] = []string{f.Value}
		}
	}
}

const paramPrefix = "Mcp-Param-"

// finish reads the rest of a response, so that its connection can be used again.
func (s *sender) finish(resp *http.Response) {
	buf := getBuffer()
	defer putBuffer(buf)
	most := drainFactor * int64(s.u.opts.MaxMessage)
	for n := int64(0); ; {
		k, err := resp.Body.Read((*buf)[:cap(*buf)])
		n += int64(k)
		if err == io.EOF {
			break
		}
		if err != nil {
			break
		}
		if n > most {
			s.u.stats.hungUp.Add(1)
			s.u.log.Warn("the upstream sends without end, its connection is closed", "url", s.u.url.Redacted())
			break
		}
	}
	_ = resp.Body.Close()
}

// drainFactor is how many times MaxMessage of a response is read and thrown away.
const drainFactor = 8

// parkAgain is park after a try to take up the stream again that brought nothing. Called with mu
// held.
func (u *Upstream) parkAgain(j *job) bool {
	j.tries++
	j.retry = max(j.retry, minRetry) << min(j.tries, 5)
	return u.park(j)
}

const (
	maxTries = 5 // to take up a stream again, in a row, that bring nothing
	minRetry = 100 * time.Millisecond
	maxRetry = time.Minute
	// defaultRetry is for streams that do not say how long to wait.
	defaultRetry = time.Second
)
