//go:build linux

package server_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/server"
)

// longVariable is the environment variable that makes tests as long as before a release.
const longVariable = "MOORING_LONG"

// A refusedKind is a kind of request that the server refuses.
type refusedKind struct {
	why     string
	request string
	status  int
	code    int // JSON-RPC error code; 0: any
	closes  bool
}

func refusedKinds() []refusedKind {
	body := callBody(1, "add", `{"A":1,"B":2}`, "")
	good := postHead("tools/call", "add", len(body)) + body
	with := func(old, new string) string {
		if !strings.Contains(good, old) {
			panic("no " + old)
		}
		return strings.Replace(good, old, new, 1)
	}
	message := func(method, body string) string { return postHead(method, "", len(body)) + body }
	return []refusedKind{
		{"no such path", "POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 404, 0, false},
		{"a foreign host", with("Host: localhost", "Host: evil.example"), 403, 0, false},
		{"a foreign origin", with("Host: localhost", "Host: localhost\r\nOrigin: https://evil.example"), 403, 0, false},
		{"GET without a session", getRequest("/mcp"), 400, 0, false},
		{"PUT on the endpoint", strings.Replace(getRequest("/mcp"), "GET", "PUT", 1), 405, 0, false},
		{"Accept allows neither type", with("Accept: application/json, text/event-stream", "Accept: text/html"), 406, 0, false},
		{"not JSON", with("Content-Type: application/json", "Content-Type: text/plain"), 415, 0, false},
		{"long content", postHead("tools/call", "add", 5<<20), 413, 0, true},
		{"long request line", "GET /" + strings.Repeat("a", 9000) + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 414, 0, true},
		{"long head", "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("a", 17000) + "\r\n\r\n", 431, 0, true},
		{"bad framing",
			"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 0, true},
		{"bad JSON", message("tools/call", `{"jsonrpc":`), 400, -32700, false},
		{"not a request", message("tools/call", `{"jsonrpc":"2.0","id":1}`), 400, -32600, false},
		{"no such method", otherRequest("no/such", "", ""), 404, -32601, false},
		{"no such tool", callRequest(1, "nosuch", "{}", ""), 400, -32602, false},
		{"header mismatch", with("Mcp-Name: add", "Mcp-Name: sub"), 400, -32020, false},
		{"unknown revision", strings.ReplaceAll(good, revision, "1999-01-01"), 400, -32022, false},
		{"missing capability", callRequest(1, "needy", "{}", ""), 400, -32021, false},
	}
}

// TestRefusedRequestsRetainNothing: pains A10, B4, B6, B7, F4. Refused requests of all kinds,
// mixed and repeated, leave no memory and no goroutine behind.
func TestRefusedRequestsRetainNothing(t *testing.T) {
	total := 20_000
	switch {
	case os.Getenv(longVariable) != "":
		total = 1_000_000
	case raceDetector || testing.Short():
		total = 10_000
	}
	p := serveProof(t, &server.Options{})
	kinds := refusedKinds()
	for _, k := range kinds { // check the status of each kind and that its answer is valid
		c := p.dial()
		c.send(k.request)
		a := c.answer("tools/call")
		if a.status != k.status || k.code != 0 && !strings.Contains(a.body, fmt.Sprintf(`"code":%d`, k.code)) {
			t.Fatalf("%s: got %d %s", k.why, a.status, a.body)
		}
		if a.close != k.closes {
			t.Fatalf("%s: Connection: close %v, want %v", k.why, a.close, k.closes)
		}
		c.reset()
	}
	refuse := func(n int) {
		var left atomic.Int64
		left.Store(int64(n))
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				r := &refuser{t: t, p: p, source: byte(w + 1)}
				defer r.hangUp()
				for i := w; left.Add(-1) >= 0; i++ {
					if !r.refused(&kinds[i%len(kinds)]) {
						return
					}
				}
			})
		}
		wg.Wait()
		await(t, "all connections are gone", func() bool { return p.Stats().Connections == 0 })
	}
	refuse(total / 5)
	before := p.holdings()
	start := time.Now()
	refuse(total)
	after := p.holdings()
	t.Logf("%d refusals of %d kinds, %.0f per second: live heap %+d KiB, goroutines %+d",
		total, len(kinds), float64(total)/time.Since(start).Seconds(),
		(after.heap-before.heap)>>10, after.goroutines-before.goroutines)
	after.compare(t, "refusals", before)
	p.wantNothingLeft()
	if n := p.Stats().Panics; n != 0 {
		t.Errorf("%d panics, want none", n)
	}
}

// A refuser is a client whose requests are all refused.
type refuser struct {
	t      testing.TB
	p      *proofServer
	source byte // a byte of its addresses: a closed connection occupies its port for a while
	dials  int
	c      net.Conn
	br     *bufio.Reader
	buf    [1024]byte
}

func (r *refuser) refused(k *refusedKind) bool {
	if r.c == nil {
		r.dials++
		d := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 1, r.source, byte(1+r.dials/2000%250))}}
		c, err := d.Dial("tcp", r.p.addr)
		if err != nil {
			r.t.Errorf("dial: %v", err)
			return false
		}
		_ = c.(*net.TCPConn).SetLinger(0)
		if r.br == nil {
			r.br = bufio.NewReader(c)
		}
		r.br.Reset(c)
		r.c = c
	}
	_ = r.c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(r.c, k.request); err != nil {
		r.t.Errorf("%s: write: %v", k.why, err)
		return false
	}
	status, length := 0, 0
	for {
		line, err := r.br.ReadSlice('\n')
		if err != nil {
			r.t.Errorf("%s: read: %v", k.why, err)
			return false
		}
		if len(line) == 2 {
			break
		}
		if status == 0 {
			_, _ = fmt.Sscanf(string(line[9:12]), "%d", &status)
		} else if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			_, _ = fmt.Sscanf(string(v), "%d", &length)
		}
	}
	if _, err := io.ReadFull(r.br, r.buf[:min(length, len(r.buf))]); err != nil || status != k.status || length > len(r.buf) {
		r.t.Errorf("%s: status %d, %d bytes, %v; want %d and at most %d bytes", k.why, status, length, err, k.status, len(r.buf))
		return false
	}
	if k.closes {
		r.hangUp()
	}
	return true
}

func (r *refuser) hangUp() {
	if r.c != nil {
		_ = r.c.Close()
		r.c = nil
	}
}
