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

// TestOneConnectionTooMany: pains B19, F5. The connection above the cap is told so, and when to
// come again; those below it are served, and a place that is left is taken.
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
			t.Errorf("the fourth connection: %d %v", a.status, a.header)
		}
		if _, err := over.br.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("after the answer: %v, want EOF", err)
		}
		over.Close()
	}
	if st := p.Stats(); st.AcceptRefused != 2 || st.Connections != 3 {
		t.Errorf("refused %d, connected %d", st.AcceptRefused, st.Connections)
	}
	for _, c := range held {
		c.add(1, 2)
	}
	held[0].Close()
	await(t, "a place is left", func() bool { return p.Stats().Connections == 2 })
	again := p.dial()
	again.health(200)
}

// TestCapIsExact: connections come and go from many sides; there are never more than the cap, and
// in the end no place is lost.
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
					dropped.Add(1) // more were refused at once than are told so
				case resp.StatusCode == 200:
					served.Add(1)
				case resp.StatusCode == 503:
					refused.Add(1)
				default:
					t.Errorf("status %d", resp.StatusCode)
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
		t.Errorf("%d connections at once, the cap is %d", peak, cap)
	}
	t.Logf("peak %d of %d; %d served, %d told 503, %d dropped", peak, cap, served.Load(), refused.Load(), dropped.Load())
	if served.Load() == 0 || refused.Load() == 0 {
		t.Errorf("served %d, refused %d: the test tests nothing", served.Load(), refused.Load())
	}
	await(t, "all are gone", func() bool { return p.Stats().Connections == 0 })
	for range cap {
		p.dial().health(200)
	}
	if st := p.Stats(); st.Connections != cap {
		t.Errorf("%d connections after the crowd, want %d", st.Connections, cap)
	}
}
