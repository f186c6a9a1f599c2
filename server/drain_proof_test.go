//go:build linux

package server_test

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/internal/sockdiag"
	"github.com/mooring-mcp/mooring/server"
)

// shutdown runs Shutdown and returns how long it took and its result.
func (p *proofServer) shutdown(limit time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	start := time.Now()
	err := p.Shutdown(ctx)
	return time.Since(start), err
}

// TestDrain: pains E3, E4, E6, H1, H2. 2,000 streams and 50 calls end as the protocol requires.
// Readiness ends first, idle connections are closed at once, and no new client is accepted.
func TestDrain(t *testing.T) {
	streams, calls := 2000, 50
	if raceDetector {
		streams = 500
	}
	before := goroutinesOfOurs()
	p := serveProof(t, &server.Options{DrainTimeout: time.Minute})
	var listening []*proofStream
	for range streams {
		listening = append(listening, p.listen(7))
	}
	var calling []*proofPeer
	for range calls {
		c := p.dial()
		c.send(callRequest(1, "stubborn", "{}", ""))
		calling = append(calling, c)
	}
	for range calls {
		<-p.begun
	}
	idle := p.dial()
	idle.add(1, 2)
	ready := p.dial()
	ready.sendTaken("GET /readyz HTTP/1.1\r\nHo") // in progress, so that it is not closed as idle

	type result struct {
		err  error
		took time.Duration
	}
	done := make(chan result, 1)
	go func() {
		took, err := p.shutdown(time.Minute)
		done <- result{err, took}
	}()

	if _, err := idle.br.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("read on an idle connection: %v, want EOF", err)
	}
	ready.send("st: localhost\r\n\r\n")
	if a := ready.answer(""); a.status != 503 {
		t.Errorf("/readyz: status %d, want 503", a.status)
	}
	if _, err := ready.br.ReadByte(); err == nil {
		t.Error("the connection stays open after its request")
	}
	if c, err := net.DialTimeout("tcp", p.addr, time.Second); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a new connection: %v, want connection refused", err)
		if err == nil {
			c.Close()
		}
	}
	for i, s := range listening {
		e, err := s.next()
		if err != nil || !strings.Contains(e, `"result":`) || !strings.Contains(e, `"id":7`) {
			t.Fatalf("stream %d ends with %q, %v, want its result", i, e, err)
		}
		// io.EOF stands for the last chunk; without it this is io.ErrUnexpectedEOF
		if e, err = s.next(); !errors.Is(err, io.EOF) {
			t.Fatalf("stream %d, after its result: %q, %v, want EOF", i, e, err)
		}
	}
	select {
	case r := <-done:
		t.Fatalf("Shutdown returned %v while calls were in flight", r.err)
	default:
	}
	p.release()
	for i, c := range calling {
		if a := c.answer("tools/call"); a.status != 200 || !strings.Contains(a.body, "at last") {
			t.Fatalf("call %d got %d %s, want its result", i, a.status, a.body)
		}
	}
	r := <-done
	if r.err != nil || r.took > patience {
		t.Errorf("Shutdown returned %v after %v", r.err, r.took)
	}
	t.Logf("%d streams and %d calls drained in %v", streams, calls, r.took.Round(time.Millisecond))
	if err := <-p.served; !errors.Is(err, server.ErrServerClosed) {
		t.Errorf("Serve: %v", err)
	}
	if took, err := p.shutdown(time.Second); err != nil || took > time.Second {
		t.Errorf("a second Shutdown returned %v after %v", err, took)
	}
	p.wantNoSocketHeld()
	p.mcp.Close()
	wantNoneBut(t, before)
}

// wantNoSocketHeld fails the test if the process still has a socket. A socket that the process
// has closed, and that the kernel keeps until the client closes too, is in none of these states.
func (p *proofServer) wantNoSocketHeld() {
	p.t.Helper()
	if c := p.sockets(0); c[sockdiag.Established]+c[sockdiag.CloseWait]+c[sockdiag.SynReceived]+c[sockdiag.Listen] != 0 {
		p.t.Errorf("sockets are left after Shutdown: %s", &c)
	}
}

// goroutinesOfOurs returns the names of the goroutines that run code of the server or of gnet's
// loops. Workers of gnet's pool are not among them: they stay idle for ten seconds.
func goroutinesOfOurs() map[string]bool {
	buf := make([]byte, 4<<20)
	ours := make(map[string]bool)
	for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(g, "mooring/server.(") || strings.Contains(g, "mooring/server/internal/engine/") ||
			strings.Contains(g, "mooring/mcp.(") || strings.Contains(g, "netpoll.(*Poller)") {
			name, _, _ := strings.Cut(g, " [")
			ours[name] = true
		}
	}
	return ours
}

// wantNoneBut fails the test unless all of our goroutines end that were not running before.
func wantNoneBut(t *testing.T, before map[string]bool) {
	t.Helper()
	await(t, "no goroutine is left", func() bool {
		for g := range goroutinesOfOurs() {
			if !before[g] {
				return false
			}
		}
		return true
	})
}

// TestDrainGivesUp: pain E3. A handler that ignores its context keeps its goroutine but not the
// server: Shutdown returns at its deadline and reports it.
func TestDrainGivesUp(t *testing.T) {
	before := goroutinesOfOurs()
	p := serveProof(t, nil)
	c := p.dial()
	c.send(callRequest(1, "stubborn", "{}", ""))
	w := p.dial()
	w.send(callRequest(1, "wait", "{}", ""))
	<-p.begun
	<-p.begun
	took, err := p.shutdown(300 * time.Millisecond)
	if !errors.Is(err, context.DeadlineExceeded) || took < 300*time.Millisecond || took > patience/2 {
		t.Errorf("Shutdown returned %v after %v", err, took)
	}
	select {
	case e := <-p.ended:
		if e.cause == nil || !strings.Contains(e.cause.Error(), "shutting down") {
			t.Errorf("cause %v, want the shutdown", e.cause)
		}
	case <-time.After(patience):
		t.Error("the context of a call has not ended after Shutdown")
	}
	// this handler watched its context, so its answer arrived
	if a := w.answer("tools/call"); a.status != 200 {
		t.Errorf("the call whose handler returned: %d %s", a.status, a.body)
	}
	if _, err := c.br.ReadByte(); err == nil {
		t.Error("a call whose handler still runs was answered")
	}
	p.wantNoSocketHeld()
	p.release()
	await(t, "the handler has returned", func() bool { return p.Stats().CallsInFlight == 0 })
	p.mcp.Close()
	wantNoneBut(t, before)
}

// TestDrainWhileClientsCome: pain H2. Shutdown comes in the middle of accepts, requests, streams
// and disconnects.
func TestDrainWhileClientsCome(t *testing.T) {
	for range 5 {
		p := serveProof(t, &server.Options{DrainTimeout: patience})
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					c, err := net.DialTimeout("tcp", p.addr, patience)
					if err != nil {
						return
					}
					_ = c.SetDeadline(time.Now().Add(patience))
					request := callRequest(1, "add", `{"A":1,"B":2}`, "")
					if i%2 == 0 {
						request = listenRequest(i)
					}
					_, _ = io.WriteString(c, request)
					var b [512]byte
					_, _ = c.Read(b[:])
					if i%4 < 2 {
						_ = c.Close()
					} else {
						t.Cleanup(func() { c.Close() })
					}
				}
			})
		}
		await(t, "clients are active", func() bool { return p.Stats().Connections > 50 })
		if took, err := p.shutdown(patience); err != nil {
			t.Errorf("Shutdown returned %v after %v", err, took)
		}
		close(stop)
		wg.Wait()
		if st := p.Stats(); st.Connections != 0 || st.Streams != 0 || st.CallsInFlight != 0 || st.Panics != 0 {
			t.Errorf("still open after Shutdown: %+v", st)
		}
		p.wantNoSocketHeld()
	}
}

// TestShutdownBeforeServe checks that a server that never served can be shut down, and cannot
// serve afterwards.
func TestShutdownBeforeServe(t *testing.T) {
	p := newProofServer(t, nil)
	if _, err := p.shutdown(time.Second); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	l, err := p.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Serve(l); !errors.Is(err, server.ErrServerClosed) {
		t.Errorf("Serve: %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is still open: %v", err)
	}
}
