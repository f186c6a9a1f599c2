//go:build linux

package server_test

import (
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

// dialSlow connects a client with a receive buffer of so many bytes: it takes little before its
// window closes.
func (p *proofServer) dialSlow(window int) *proofPeer {
	p.t.Helper()
	d := net.Dialer{Timeout: patience, Control: withWindow(window)}
	c, err := d.Dial("tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.peerOn(c.(*net.TCPConn))
}

// TestSlowListenerHoldsUpNobody: pains D1, D2, D3. A listener that does not read holds up nobody,
// costs little, is owed one notice for each thing that changed, however often, and gets it when it
// reads.
func TestSlowListenerHoldsUpNobody(t *testing.T) {
	t.Run("own listener", func(t *testing.T) {
		slowListener(t, serveProof(t, &server.Options{NoticeDelay: -1}))
	})
	// Go's own listeners are multipath ones: a socket option that is set on them does not reach the
	// connections.
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
	// A long URI fills the socket's buffers soon.
	uri := "proof://" + strings.Repeat("long/", 800)
	p.mcp.AddResource(&mcp.Resource{Name: "long", URI: uri}, nil)
	ask := func(c *proofPeer, id int) *proofStream {
		body := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":[%q]},"_meta":{%s}}}`, id, uri, proofMeta)
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
		p.mcp.ResourceUpdated(uri)
		quick.want("notifications/resources/updated")
		worst = max(worst, time.Since(start))
	}
	p.toggle()
	quick.want("notifications/tools/list_changed")
	if worst > 5*time.Second {
		t.Errorf("a quick listener waited %v", worst)
	}
	if st := p.Stats(); st.Streams != 2 {
		t.Errorf("%d streams, closes %v", st.Streams, st.Closes)
	}
	heard := 0
	for {
		e, err := slow.next()
		if err != nil {
			t.Fatalf("the slow listener: %v", err)
		}
		if strings.Contains(e, "tools/list_changed") {
			break
		}
		heard++
	}
	t.Logf("of %d updates the slow listener heard %d before the change of the list; the quick one waited %v at most", updates, heard, worst.Round(time.Microsecond))
	if held := heard * len(uri); held > 512<<10 {
		t.Errorf("the slow listener heard %d of %d: %d KiB waited for it, below the server", heard, updates, held>>10)
	}
	p.mcp.ResourceUpdated(uri)
	slow.want("notifications/resources/updated")
}

// TestListenerThatNeverReads: pain D2. Notices that keep coming do not keep a dead listener alive:
// it is dropped at WriteTimeout.
func TestListenerThatNeverReads(t *testing.T) {
	uri := "proof://" + strings.Repeat("long/", 800)
	p := serveProof(t, &server.Options{NoticeDelay: -1, WriteTimeout: time.Second})
	p.mcp.AddResource(&mcp.Resource{Name: "long", URI: uri}, nil)
	c := p.dialSlow(8 << 10)
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":[%q]},"_meta":{%s}}}`, uri, proofMeta)
	c.send(postHead("subscriptions/listen", "", len(body)) + body)
	c.stream("subscriptions/listen").want("acknowledged")
	await(t, "the listener is dropped, though changes keep coming", func() bool {
		p.mcp.ResourceUpdated(uri)
		return p.Stats().Closes["write_stalled"] == 1
	})
	p.wantNothingLeft()
}

// TestCallerWithUnreadNotifications: pains B13, D2. Notifications that pile up over MaxUnsent cost
// the client its connection, by an RST, and end its call.
func TestCallerWithUnreadNotifications(t *testing.T) {
	p := serveProof(t, nil)
	c := p.dialSlow(8 << 10)
	c.send(callRequest(1, "flood", `{"Bytes":20000,"Count":10000,"PauseMs":0}`, withProgress))
	other := p.dial()
	select {
	case e := <-p.ended:
		if e.cause == nil || !strings.Contains(e.cause.Error(), "client closed") {
			t.Errorf("cause %v", e.cause)
		}
	case <-time.After(patience):
		t.Fatalf("the call goes on: %+v", p.Stats())
	}
	other.add(1, 2)
	if n := p.Stats().Closes["unsent_limit"]; n != 1 {
		t.Errorf("closes: %v", p.Stats().Closes)
	}
	if _, err := io.Copy(io.Discard, c.br); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client sees %v, want an RST", err)
	}
	other.Close()
	p.wantNothingLeft()
}

// TestSlowReaderOfALongResponse: pains B13, D9. A response is given whole to who reads slowly, and
// nothing is left of it.
func TestSlowReaderOfALongResponse(t *testing.T) {
	p := serveProof(t, &server.Options{WriteTimeout: time.Second})
	c := p.dialSlow(64 << 10)
	const size = 5 << 20
	c.send(callRequest(1, "big", fmt.Sprintf(`{"Bytes":%d,"Count":0,"PauseMs":0}`, size), ""))
	slow := &pacedReader{r: c.TCPConn, chunk: 64 << 10, pause: 10 * time.Millisecond, until: time.Now().Add(2 * time.Second)}
	c.br.Reset(slow)
	a := c.answer("tools/call")
	if a.status != 200 || strings.Count(a.body, "x") < size {
		t.Errorf("%d, %d bytes", a.status, len(a.body))
	}
	c.br.Reset(c.TCPConn)
	c.add(1, 2)
	c.send(callRequest(1, "big", `{"Bytes":9000000,"Count":0,"PauseMs":0}`, ""))
	if a := c.answer("tools/call"); !strings.Contains(a.body, "-32603") || !strings.Contains(a.body, "exceeds") {
		t.Errorf("more than MaxResponse: %d %.200s", a.status, a.body)
	}
	c.add(2, 3)
	c.Close()
	p.wantNothingLeft()
}

// TestReaderThatStops: a client that takes no byte of its response for WriteTimeout is dropped.
func TestReaderThatStops(t *testing.T) {
	p := serveProof(t, &server.Options{WriteTimeout: 500 * time.Millisecond})
	c := p.dialSlow(8 << 10)
	c.send(callRequest(1, "big", `{"Bytes":5000000,"Count":0,"PauseMs":0}`, ""))
	await(t, "it is dropped", func() bool { return p.Stats().Closes["write_stalled"] == 1 })
	if _, err := io.Copy(io.Discard, c.br); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client sees %v, want an RST", err)
	}
	p.wantNothingLeft()
}

// TestSteadySlowReaderIsNoStall: a client that reads all the time, but less than the call notifies,
// is not stalled: the bytes that wait for it grow although it takes some.
func TestSteadySlowReaderIsNoStall(t *testing.T) {
	p := serveProof(t, &server.Options{WriteTimeout: 1500 * time.Millisecond, MaxUnsent: 16 << 20})
	c := p.dialSlow(64 << 10)
	// Some 4 MB within two seconds and a half, of which a part is read in that time.
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
			t.Errorf("%d events", n)
		}
	}
}

// A pacedReader reads at most chunk bytes at a time, and pauses each time, for so long.
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

// withWindow sets the receive buffer before the handshake tells its size.
func withWindow(size int) func(_, _ string, rc syscall.RawConn) error {
	return func(_, _ string, rc syscall.RawConn) (err error) {
		if cerr := rc.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, size) }); cerr != nil {
			return cerr
		}
		return err
	}
}
