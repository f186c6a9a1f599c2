//go:build linux

package server_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/internal/sockdiag"
	"github.com/mooring-mcp/mooring/server"
)

// handOvers is what a client sends in one go: each of the slow calls moves its connection, which
// returns with the request behind it.
func handOvers() string {
	var b strings.Builder
	b.WriteString(wire(call("wait", `{"Ms":70,"Steps":2}`)))
	b.WriteString(wire(call("add", `{"A":1,"B":2}`)))
	b.WriteString(wire(call("wait", `{"Ms":70,"Steps":0}`)))
	b.WriteString(wire(call("large", `{"Bytes":50000}`)))
	b.WriteString(wire(call("add", `{"A":3,"B":4}`)))
	return b.String()
}

const handOverResponses = 5

// exchange sends what handOvers returns, cut at the given offsets with a pause at each, and returns
// the responses as text.
func (m *mover) exchange(cuts []int, pause time.Duration) (string, error) {
	all := handOvers()
	nc, err := net.Dial("tcp", m.Listener.Addr().String())
	if err != nil {
		return "", err
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	go func() {
		at := 0
		for _, cut := range append(cuts, len(all)) {
			if cut = min(max(cut, at), len(all)); cut > at {
				if _, err := io.WriteString(nc, all[at:cut]); err != nil {
					return
				}
				at = cut
				time.Sleep(pause)
			}
		}
	}()
	return readResponses(nc, handOverResponses)
}

// FuzzHandOver cuts what a client sends at any two bytes. However a connection moves and returns
// meanwhile, the client gets the same responses.
func FuzzHandOver(f *testing.F) {
	f.Add(uint16(0), uint16(0), uint8(0))
	f.Add(uint16(500), uint16(520), uint8(60))
	f.Add(uint16(1), uint16(900), uint8(49))
	m := newMover(f, nil)
	want, err := m.exchange(nil, 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, a, b uint16, ms uint8) {
		n := len(handOvers())
		cuts := []int{int(a) % n, int(b) % n}
		if cuts[0] > cuts[1] {
			cuts[0], cuts[1] = cuts[1], cuts[0]
		}
		got, err := m.exchange(cuts, time.Duration(ms%80)*time.Millisecond)
		if err != nil || got != want {
			t.Errorf("cut at %v, pauses of %d ms: %v\n%s\nwant\n%s", cuts, ms%80, err, short(got), short(want))
		}
	})
}

func short(s string) string { return strings.ReplaceAll(s, strings.Repeat("x", 50000), "x…") }

// TestHandOverCuts does so at many bytes, on both engines.
func TestHandOverCuts(t *testing.T) {
	for _, e := range []server.Engine{server.EngineEpoll, server.EngineGnet} {
		t.Run(string(e), func(t *testing.T) {
			m := newMover(t, &server.StreamableHTTPOptions{Options: &server.Options{Engine: e}})
			want, err := m.exchange(nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			step := 7
			if testing.Short() {
				step = 41
			}
			n := len(handOvers())
			var all sync.WaitGroup
			slots := make(chan struct{}, 24)
			for cut := 1; cut < n; cut += step {
				slots <- struct{}{}
				all.Go(func() {
					defer func() { <-slots }()
					cuts := []int{cut, min(cut+rand.IntN(n), n)}
					pause := time.Duration(rand.IntN(80)) * time.Millisecond
					if got, err := m.exchange(cuts, pause); err != nil || got != want {
						t.Errorf("cut at %v, pauses of %v: %v\n%s\nwant\n%s", cuts, pause, err, short(got), short(want))
					}
				})
			}
			all.Wait()
			if st := m.h.Stats(); st.Closes["returned"] == 0 || st.Panics != 0 {
				t.Errorf("connections that returned, and panics: %v, %d", st.Closes, st.Panics)
			}
		})
	}
}

// A client that disconnects at any moment of a hand-over, in either way, leaves nothing behind: no
// connection, stream, call or goroutine, and no socket that waits to be closed.
func TestHandOverEnds(t *testing.T) {
	requests := map[string]string{
		"listen": wire(post("subscriptions/listen", "", listensTools)),
		"call":   wire(call("wait", `{"Ms":80,"Steps":0}`)),
		"events": wire(call("wait", `{"Ms":80,"Steps":2}`)),
		"next":   wire(call("wait", `{"Ms":60,"Steps":0}`)) + wire(call("add", `{"A":1,"B":2}`)),
	}
	ends := map[string]func(*net.TCPConn){
		"FIN": func(nc *net.TCPConn) { nc.Close() },
		"RST": func(nc *net.TCPConn) { _ = nc.SetLinger(0); nc.Close() },
		"half": func(nc *net.TCPConn) {
			_ = nc.CloseWrite()
			_ = nc.SetReadDeadline(time.Now().Add(10 * time.Second))
			_, _ = io.Copy(io.Discard, nc)
			nc.Close()
		},
	}
	for _, e := range []server.Engine{server.EngineEpoll, server.EngineGnet} {
		m := newMover(t, &server.StreamableHTTPOptions{Options: &server.Options{Engine: e}})
		if _, err := m.exchange(nil, 0); err != nil { // so that all is running that stays
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for what, bytes := range requests {
			for how, end := range ends {
				for _, ms := range []int{0, 1, 5, 40, 49, 50, 51, 52, 55, 60, 79, 80, 81, 90, 120} {
					all.Go(func() {
						nc, err := net.Dial("tcp", m.Listener.Addr().String())
						if err != nil {
							t.Error(err)
							return
						}
						if _, err := io.WriteString(nc, bytes); err != nil {
							t.Errorf("%s, %s: %v", what, how, err)
						}
						time.Sleep(time.Duration(ms) * time.Millisecond)
						end(nc.(*net.TCPConn))
					})
				}
			}
		}
		all.Wait()
		await(t, fmt.Sprintf("%s: everything is forgotten", e), func() bool {
			st := m.h.Stats()
			return st.Connections == 0 && st.Streams == 0 && st.CallsInFlight == 0
		})
		diag, err := sockdiag.NewReader()
		if err != nil {
			t.Fatal(err)
		}
		port := m.Listener.Addr().(*net.TCPAddr).Port
		await(t, fmt.Sprintf("%s: the kernel has no socket of the server", e), func() bool {
			c, err := diag.Count(port, 0)
			return err == nil && c.Open() == 0
		})
		diag.Close()
		await(t, fmt.Sprintf("%s: the goroutines end", e), func() bool {
			all := make([]byte, 4<<20)
			all = all[:runtime.Stack(all, true)]
			return !strings.Contains(string(all), "(*passage)") && !strings.Contains(string(all), "(*rawWriter)")
		})
		if st := m.h.Stats(); st.Panics != 0 {
			t.Errorf("%s: %d panics", e, st.Panics)
		}
	}
}

// A handler that shuts down while calls move finishes them: each gets its answer.
func TestHandOverDuringShutdown(t *testing.T) {
	for _, e := range []server.Engine{server.EngineEpoll, server.EngineGnet} {
		for k := range 8 {
			m := newMover(t, &server.StreamableHTTPOptions{Options: &server.Options{Engine: e}})
			var log syncLog
			m.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(&log, nil), slog.LevelWarn)
			var all sync.WaitGroup
			for range 24 {
				all.Go(func() {
					c := m.dial()
					c.send(call("wait", `{"Ms":120,"Steps":0}`))
					resp, err := http.ReadResponse(c.r, nil)
					if err != nil {
						t.Errorf("%s: %v", e, err)
						return
					}
					b, err := io.ReadAll(resp.Body)
					if late := resp.StatusCode == 503; err != nil || !late && !strings.Contains(string(b), "waited") {
						t.Errorf("%s: %d %s %v", e, resp.StatusCode, b, err)
					}
				})
			}
			await(t, "the requests arrive", func() bool { return m.seen.Load() == 24 })
			time.Sleep(time.Duration(40+k) * time.Millisecond)
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			if err := m.h.Shutdown(ctx); err != nil {
				t.Errorf("%s: %v", e, err)
			}
			cancel()
			all.Wait()
			if got := log.String(); got != "" {
				t.Errorf("%s: net/http complains: %s", e, got)
			}
		}
	}
}

// syncLog collects what is logged.
type syncLog struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *syncLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *syncLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
