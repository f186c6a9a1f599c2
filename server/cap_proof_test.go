//go:build linux

package server_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/server"
)

// TestOneConnectionTooMany: pains B19, F5. A connection above the limit gets 503 with
// Retry-After. Those below it are served, and a place that becomes free can be taken.
func TestOneConnectionTooMany(t *testing.T) {
	p := serveProof(t, &server.Options{MaxConnections: 3})
	await(t, "no connection", func() bool { return p.Stats().Connections == 0 })
	var held []*proofPeer
	for range 3 {
		c := p.dial()
		c.health(200)
		held = append(held, c)
	}
	for range 2 {
		over := p.dial()
		a := over.answer("")
		if a.status != 503 || a.header.Get("Retry-After") == "" || !a.close {
			t.Errorf("the fourth connection got %d %v, want 503 with Retry-After and Connection: close", a.status, a.header)
		}
		if _, err := over.br.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("read after the answer: %v, want EOF", err)
		}
		over.Close()
	}
	if st := p.Stats(); st.AcceptRefused != 2 || st.Connections != 3 {
		t.Errorf("%d connections refused and %d open, want 2 and 3", st.AcceptRefused, st.Connections)
	}
	for _, c := range held {
		c.add(1, 2)
	}
	held[0].Close()
	await(t, "a place is free", func() bool { return p.Stats().Connections == 2 })
	again := p.dial()
	again.health(200)
}

// TestCapIsExact checks that there are never more connections than the limit while many clients
// come and go, and that no place is lost in the end.
func TestCapIsExact(t *testing.T) {
	const cap, clients = 20, 48
	p := serveProof(t, &server.Options{MaxConnections: cap})
	await(t, "no connection", func() bool { return p.Stats().Connections == 0 })
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var served, refused, dropped atomic.Int64
	for range clients {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				c, err := net.DialTimeout("tcp", p.addr, patience)
				if err != nil {
					t.Errorf("dial: %v", err)
					return
				}
				_ = c.SetDeadline(time.Now().Add(patience))
				_, _ = io.WriteString(c, getRequest("/healthz"))
				peer := bufio.NewReaderSize(c, 512)
				resp, err := http.ReadResponse(peer, nil)
				switch {
				case err != nil:
					dropped.Add(1) // when many are refused at once, some get no 503
				case resp.StatusCode == 200:
					served.Add(1)
				case resp.StatusCode == 503:
					refused.Add(1)
				default:
					t.Errorf("status %d, want 200 or 503", resp.StatusCode)
				}
				_ = c.Close()
			}
		})
	}
	peak := int64(0)
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		peak = max(peak, p.Stats().Connections)
	}
	close(stop)
	wg.Wait()
	if peak > cap {
		t.Errorf("%d connections at once, limit %d", peak, cap)
	}
	t.Logf("peak %d of %d; %d served, %d got 503, %d dropped", peak, cap, served.Load(), refused.Load(), dropped.Load())
	if served.Load() == 0 || refused.Load() == 0 {
		t.Errorf("served %d, refused %d: want some of each, or the test checks nothing", served.Load(), refused.Load())
	}
	await(t, "all are gone", func() bool { return p.Stats().Connections == 0 })
	for range cap {
		p.dial().health(200)
	}
	if st := p.Stats(); st.Connections != cap {
		t.Errorf("%d connections in the end, want %d", st.Connections, cap)
	}
}
