package server

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/httpparse"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
)

// This file makes the bytes of a request that net/http has read, and reads its content. It runs on
// the goroutine of net/http.

// requestOf returns what the loop needs to know of r apart from its bytes.
func requestOf(w http.ResponseWriter, r *http.Request, m *mount, svc *service) httpRequest {
	ctx := r.Context()
	q := httpRequest{r: r, mount: m, svc: svc, who: identityOf(auth.TokenInfoFromContext(ctx)), flushes: canFlush(w)}
	q.host, _ = ctx.Value(http.ServerContextKey).(*http.Server)
	q.peer, _ = netip.ParseAddrPort(r.RemoteAddr)
	if local, ok := ctx.Value(http.LocalAddrContextKey).(net.Addr); ok {
		q.trust = trustOf(local)
	}
	return q
}

// canFlush reports whether w can send a response piece by piece.
func canFlush(w http.ResponseWriter) bool {
	for {
		switch t := w.(type) {
		case http.Flusher, interface{ FlushError() error }:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return false
		}
	}
}

// errMalformed means that a request has octets that HTTP does not allow. net/http refuses them, but
// middleware and tests may make a request of their own.
var errMalformed = errors.New("server: the request is malformed")

// appendRequest appends the head of r to dst. The length of the content is n.
func (m *mount) appendRequest(dst []byte, r *http.Request, n int64) ([]byte, error) {
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	path, query := m.targetOf(r)
	if !isToken(method) || !isTarget(path) || !isTarget(query) {
		return dst, errMalformed
	}
	dst = append(append(append(dst, method...), ' '), path...)
	if query != "" {
		dst = append(append(dst, '?'), query...)
	}
	dst = append(dst, " HTTP/1.0\r\n"...)
	if r.Host != "" {
		var ok bool
		if dst, ok = appendField(dst, "Host", r.Host); !ok {
			return dst, errMalformed
		}
	}
	for name, values := range r.Header {
		if isHopByHop(name) {
			continue
		}
		for _, v := range values {
			var ok bool
			if dst, ok = appendField(dst, name, v); !ok {
				return dst, errMalformed
			}
		}
	}
	if n > 0 {
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, n, 10)
		dst = append(dst, "\r\n"...)
	}
	return append(dst, "\r\n"...), nil
}

// targetOf returns the path and the query with which a loop gets r.
func (m *mount) targetOf(r *http.Request) (path, query string) {
	switch {
	case m.own:
		return r.URL.EscapedPath(), r.URL.RawQuery
	case !m.sse:
		return m.policy.Path, ""
	case r.Method == http.MethodPost:
		return m.policy.Messages, r.URL.RawQuery
	}
	return m.policy.SSE, ""
}

// isHopByHop reports whether a field is about the connection of net/http, or is written otherwise.
// name is canonical.
func isHopByHop(name string) bool {
	switch name {
	case "Connection", "Content-Length", "Expect", "Host", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// appendField appends a field line. It reports false if the field cannot be one.
func appendField(dst []byte, name, value string) ([]byte, bool) {
	if !isToken(name) {
		return dst, false
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return dst, false
		}
	}
	dst = append(append(dst, name...), ": "...)
	return append(append(dst, value...), "\r\n"...), true
}

// isToken reports whether s is a token (RFC 9110 section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '-'
		if !letter && strings.IndexByte("!#$%&'*+.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// isTarget reports whether s can be part of a request-target.
func isTarget(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

const (
	// smallContent is the length up to which content is read without a look at the head: mostly
	// net/http has all of it already.
	smallContent = 4 << 10
	firstContent = 16 << 10 // the most memory that is taken before any content has arrived
)

// lengthOf returns the length of the content of r: -1 if it is not known before it is read, and 0
// if nobody wants to read it, because a loop will refuse the request for its head.
func (s *Server) lengthOf(r *http.Request, q *httpRequest) int64 {
	n := r.ContentLength
	switch {
	case r.Body == nil || r.Body == http.NoBody || n == 0, q.judged != authOK:
		return 0
	case 0 < n && n <= smallContent && r.Header["Expect"] == nil:
		return n
	case s.refusesHead(r, q):
		return 0
	}
	return n
}

var parsers = sync.Pool{New: func() any { return new(httpparse.Request) }}

// refusesHead reports whether a loop will refuse r for its head.
func (s *Server) refusesHead(r *http.Request, q *httpRequest) bool {
	b := takeBuffer(1 << 10)
	defer func() { release(b) }()
	var err error
	if b.B, err = q.mount.appendRequest(b.B, r, max(r.ContentLength, 1)); err != nil {
		return true
	}
	req := parsers.Get().(*httpparse.Request)
	defer parsers.Put(req)
	defer req.Reset()
	if _, err := httpparse.ParseRequest(req, b.B, 0, &s.limits); err != nil {
		return true
	}
	v := s.policyOf(q.mount).Check(req, q.trust)
	return !v.Route.TakesMessage() || req.Duplicate && endpoint.SentTwice(req)
}

// errContentTooLong means that the content is longer than its limit.
var errContentTooLong = errors.New("server: the content is too long")

// isTooLong reports whether err means that the content is longer than its limit, or than one of
// middleware's.
func isTooLong(err error) bool {
	_, most := errors.AsType[*http.MaxBytesError](err)
	return most || errors.Is(err, errContentTooLong)
}

// readContent reads content to its end. It has n bytes, or an unknown number if n is negative, but
// middleware that decodes it may not have said how many there are now. readContent returns nil for
// no content.
func readContent(body io.Reader, n, limit int64) (*buffer, error) {
	switch {
	case n == 0:
		return nil, nil
	case n > limit:
		return nil, errContentTooLong
	}
	b := takeBuffer(int(min(max(n, 512), firstContent)))
	for {
		err := readMore(body, b, n, limit)
		switch {
		case err == nil && int64(len(b.B)) > limit:
			err = errContentTooLong
		case err == io.EOF && int64(len(b.B)) <= limit:
			if len(b.B) == 0 {
				b = release(b)
			}
			return b, nil
		case err == io.EOF:
			err = errContentTooLong
		}
		if err != nil {
			release(b)
			return nil, err
		}
	}
}

// readMore reads once, at most one byte more than the limit. It makes room for the n bytes that are
// expected as content arrives, not because it is announced, and none for the end that follows.
func readMore(body io.Reader, b *buffer, n, limit int64) error {
	got := int64(len(b.B))
	if n > 0 && got == n {
		var probe [1]byte
		k, err := body.Read(probe[:])
		if k > 0 {
			b.Reserve(1, int(limit+1-got))
			b.B = append(b.B, probe[0])
		}
		return err
	}
	if len(b.B) == cap(b.B) {
		more := limit + 1
		if got < n {
			more = n
		}
		b.Reserve(1, int(more-got))
	}
	room := b.B[len(b.B):cap(b.B)]
	if got < n {
		room = room[:min(int64(len(room)), n-got)]
	}
	k, err := body.Read(room)
	b.B = b.B[:len(b.B)+k]
	return err
}
