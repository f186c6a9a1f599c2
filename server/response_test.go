package server

import (
	"bufio"
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"github.com/mooring-mcp/mooring/sse"
)

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
