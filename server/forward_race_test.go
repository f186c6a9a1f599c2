package server

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
)

// Answers, cancellations, disconnects and timeouts race, and every call ends once.
func TestForwardedRaces(t *testing.T) {
	m := mcp.NewServer(&mcp.Implementation{Name: "races", Version: "1"}, nil)
	q := new(quay)
	q.at(m)
	s := New(m, &Options{Loops: 2, CallTimeout: 300 * time.Millisecond, Heartbeat: 100 * time.Millisecond})
	l, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(l) }()
	stop := make(chan struct{})
	var answerers, clients sync.WaitGroup
	for w := range 4 {
		answerers.Go(func() {
			for {
				fs := q.take()
				for i, f := range fs {
					switch (i + w) % 4 {
					case 0:
						f.Result([]byte(sailed))
					case 1:
						f.Progress([]byte(`{"progress":1}`))
						f.Result([]byte(sailed))
					case 2:
						go f.Error(errInternal)
						go f.Result([]byte(sailed))
					case 3: // left to its time, or to its client
					}
				}
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
				}
			}
		})
	}
	for range 8 {
		clients.Go(func() {
			c := &http.Client{Transport: &http.Transport{}}
			for i := range 60 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i%5)*20*time.Millisecond+time.Millisecond)
				body := callTool("sail", `{}`)
				body.meta = `,"progressToken":1`
				_, text, _ := strings.Cut(body.String(), "\r\n\r\n")
				req, _ := http.NewRequestWithContext(ctx, "POST", "http://"+l.Addr().String()+"/mcp", strings.NewReader(text))
				for k, v := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
					"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "sail"} {
					req.Header.Set(k, v)
				}
				if res, err := c.Do(req); err == nil {
					_ = res.Body.Close()
				}
				cancel()
			}
			c.CloseIdleConnections()
		})
	}
	clients.Wait()
	deadline := time.Now().Add(10 * time.Second)
	for s.calls.Load() > 0 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	close(stop)
	answerers.Wait()
	if n := s.calls.Load(); n != 0 {
		t.Errorf("%d calls are left", n)
	}
	if st := s.Stats(); st.Panics != 0 {
		t.Errorf("%d panics", st.Panics)
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}
