//go:build linux

package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

// dialSlow connects a client with a receive buffer of window bytes, so that its window closes
// soon.
func (p *proofServer) dialSlow(window int) *proofPeer {
	p.t.Helper()
	d := net.Dialer{Timeout: patience, Control: withWindow(window)}
	c, err := d.Dial("tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.peerOn(c.(*net.TCPConn))
}

// TestSlowListenerHoldsUpNobody: pains D1, D2, D3. A listener that does not read delays no one
// else and costs little. It is owed one notice for each thing that changed, however often, and
// gets it when it reads.
func TestSlowListenerHoldsUpNobody(t *testing.T) {
	t.Run("own listener", func(t *testing.T) {
		slowListener(t, serveProof(t, &server.Options{NoticeDelay: -1}))
	})
	// Go's own listeners use Multipath TCP: socket options set on such a listener do not reach
	// its connections.
	t.Run("inherited listener", func(t *testing.T) {
		p := newProofServer(t, &server.Options{NoticeDelay: -1})
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		p.serve(l)
		slowListener(t, p)
	})
}

func slowListener(t *testing.T, p *proofServer) {
	// A long URI soon fills the socket's buffers.
	uri := "proof://" + strings.Repeat("long/", 800)
	p.mcp.AddResource(&mcp.Resource{Name: "long", URI: uri}, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) { return nil, nil })
	ask := func(c *proofPeer, id int) *proofStream {
		body := fmt.Sprintf(
			`{"jsonrpc":"2.0","id":%d,"method":"subscriptions/listen","params":{"notifications":{`+
				`"toolsListChanged":true,"resourceSubscriptions":[%q]},"_meta":{%s}}}`,
			id, uri, proofMeta)
		c.send(postHead("subscriptions/listen", "", len(body)) + body)
		s := c.stream("subscriptions/listen")
		s.want("acknowledged")
		return s
	}
	slow := ask(p.dialSlow(8<<10), 1)
	quick := ask(p.dial(), 2)
	const updates = 1000
	var worst time.Duration
	for range updates {
		start := time.Now()
		p.mcp.ResourceUpdated(context.Background(), &mcp.ResourceUpdatedNotificationParams{URI: uri})
		quick.want("notifications/resources/updated")
		worst = max(worst, time.Since(start))
	}
	p.toggle()
	quick.want("notifications/tools/list_changed")
	if worst > 5*time.Second {
		t.Errorf("a quick listener waited %v", worst)
	}
	if st := p.Stats(); st.Streams != 2 {
		t.Errorf("%d streams, want 2; closes %v", st.Streams, st.Closes)
	}
	heard := 0
	for {
		e, err := slow.next()
		if err != nil {
			t.Fatalf("the slow listener reads %v", err)
		}
		if strings.Contains(e, "tools/list_changed") {
			break
		}
		heard++
	}
	t.Logf("the slow listener got %d of %d updates before the change of the list; the quick one waited %v at most",
		heard, updates, worst.Round(time.Microsecond))
	if held := heard * len(uri); held > 512<<10 {
		t.Errorf("the slow listener got %d of %d updates: %d KiB waited for it below the server", heard, updates, held>>10)
	}
	p.mcp.ResourceUpdated(context.Background(), &mcp.ResourceUpdatedNotificationParams{URI: uri})
	slow.want("notifications/resources/updated")
}

// TestListenerThatNeverReads: pain D2. New notices do not keep a dead listener alive: it is
// disconnected after WriteTimeout.
func TestListenerThatNeverReads(t *testing.T) {
	uri := "proof://" + strings.Repeat("long/", 800)
	p := serveProof(t, &server.Options{NoticeDelay: -1, WriteTimeout: time.Second})
	p.mcp.AddResource(&mcp.Resource{Name: "long", URI: uri}, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) { return nil, nil })
	c := p.dialSlow(8 << 10)
	body := fmt.Sprintf(
		`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen",`+
			`"params":{"notifications":{"resourceSubscriptions":[%q]},"_meta":{%s}}}`,
		uri, proofMeta)
	c.send(postHead("subscriptions/listen", "", len(body)) + body)
	c.stream("subscriptions/listen").want("acknowledged")
	await(t, "the listener is disconnected although changes keep coming", func() bool {
		p.mcp.ResourceUpdated(context.Background(), &mcp.ResourceUpdatedNotificationParams{URI: uri})
		return p.Stats().Closes["write_stalled"] == 1
	})
	p.wantNothingLeft()
}

// TestCallerWithUnreadNotifications: pains B13, D2. When a call has more than MaxUnsent of unread
// notifications, its client is disconnected with an RST and the call is cancelled.
func TestCallerWithUnreadNotifications(t *testing.T) {
	p := serveProof(t, nil)
	c := p.dialSlow(8 << 10)
	c.send(callRequest(1, "flood", `{"Bytes":20000,"Count":10000,"PauseMs":0}`, withProgress))
	other := p.dial()
	select {
	case e := <-p.ended:
		if e.cause == nil || !strings.Contains(e.cause.Error(), "client closed") {
			t.Errorf("cause %v, want that the client was disconnected", e.cause)
		}
	case <-time.After(patience):
		t.Fatalf("the call has not ended: %+v", p.Stats())
	}
	other.add(1, 2)
	if n := p.Stats().Closes["unsent_limit"]; n != 1 {
		t.Errorf("closes: %v, want 1 for unsent_limit", p.Stats().Closes)
	}
	if _, err := io.Copy(io.Discard, c.br); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read: %v, want ECONNRESET", err)
	}
	other.Close()
	p.wantNothingLeft()
}

// TestSlowReaderOfALongResponse: pains B13, D9. A client that reads slowly gets the whole
// response, and nothing is left of it afterwards.
func TestSlowReaderOfALongResponse(t *testing.T) {
	p := serveProof(t, &server.Options{WriteTimeout: time.Second})
	c := p.dialSlow(64 << 10)
	const size = 5 << 20
	c.send(callRequest(1, "big", fmt.Sprintf(`{"Bytes":%d,"Count":0,"PauseMs":0}`, size), ""))
	slow := &pacedReader{r: c.TCPConn, chunk: 64 << 10, pause: 10 * time.Millisecond, until: time.Now().Add(2 * time.Second)}
	c.br.Reset(slow)
	a := c.answer("tools/call")
	if a.status != 200 || strings.Count(a.body, "x") < size {
		t.Errorf("status %d with %d bytes, want 200 with at least %d", a.status, len(a.body), size)
	}
	c.br.Reset(c.TCPConn)
	c.add(1, 2)
	c.send(callRequest(1, "big", `{"Bytes":9000000,"Count":0,"PauseMs":0}`, ""))
	if a := c.answer("tools/call"); !strings.Contains(a.body, "-32603") || !strings.Contains(a.body, "exceeds") {
		t.Errorf("a result longer than MaxResponse: %d %.200s", a.status, a.body)
	}
	c.add(2, 3)
	c.Close()
	p.wantNothingLeft()
}

// TestReaderThatStops checks that a client that reads nothing of its response for WriteTimeout is
// disconnected.
func TestReaderThatStops(t *testing.T) {
	p := serveProof(t, &server.Options{WriteTimeout: 500 * time.Millisecond})
	c := p.dialSlow(8 << 10)
	c.send(callRequest(1, "big", `{"Bytes":5000000,"Count":0,"PauseMs":0}`, ""))
	await(t, "the client is disconnected", func() bool { return p.Stats().Closes["write_stalled"] == 1 })
	if _, err := io.Copy(io.Discard, c.br); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read: %v, want ECONNRESET", err)
	}
	p.wantNothingLeft()
}

// TestSteadySlowReaderIsNoStall checks that a client that keeps reading, but more slowly than its
// call sends, does not count as stalled, although its unsent bytes grow.
func TestSteadySlowReaderIsNoStall(t *testing.T) {
	p := serveProof(t, &server.Options{WriteTimeout: 1500 * time.Millisecond, MaxUnsent: 16 << 20})
	c := p.dialSlow(64 << 10)
	// The call sends some 4 MB in two and a half seconds; the client reads only part of it in
	// that time.
	c.send(callRequest(1, "flood", `{"Bytes":20000,"Count":200,"PauseMs":10}`, withProgress))
	c.br.Reset(&pacedReader{r: c.TCPConn, chunk: 16 << 10, pause: 5 * time.Millisecond, until: time.Now().Add(3 * time.Second)})
	s := c.stream("tools/call")
	n := 0
	for {
		e, err := s.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("after %d events: %v, closes %v", n, err, p.Stats().Closes)
		}
		if n++; strings.Contains(e, `"result"`) && n != 201 {
			t.Errorf("the result is event %d, want 201", n)
		}
	}
}

// A pacedReader reads at most chunk bytes at a time, and until the given time pauses before each
// read.
type pacedReader struct {
	r     io.Reader
	chunk int
	pause time.Duration
	until time.Time
}

func (p *pacedReader) Read(b []byte) (int, error) {
	if time.Now().Before(p.until) {
		time.Sleep(p.pause)
	}
	return p.r.Read(b[:min(len(b), p.chunk)])
}

// withWindow sets the receive buffer before the handshake announces its size.
func withWindow(size int) func(_, _ string, rc syscall.RawConn) error {
	return func(_, _ string, rc syscall.RawConn) (err error) {
		if cerr := rc.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, size) }); cerr != nil {
			return cerr
		}
		return err
	}
}
