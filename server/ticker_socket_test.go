package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/session"
)

// serveResting starts a server and waits until its ticker is parked.
func serveResting(t *testing.T, opts Options) (*Server, string) {
	t.Helper()
	ms := mcp.NewServer(&mcp.Implementation{Name: "rest", Version: "1"}, nil)
	t.Cleanup(ms.Close)
	s := New(ms, &opts)
	l, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Shutdown(context.Background())
		if err := <-served; !errors.Is(err, ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	s.awaitRest(t)
	return s, l.Addr().String()
}

// awaitRest waits until no loop gets ticks.
func (s *Server) awaitRest(t *testing.T) {
	t.Helper()
	for limit := time.Now().Add(40 * time.Second); !s.parked.Load(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("the ticker was not parked")
		}
	}
}

// ticksServed returns the tick that each loop served last.
func (s *Server) ticksServed() []tick {
	var at []tick
	for _, l := range s.loops {
		now := make(chan tick)
		l.execute(func() { now <- l.now })
		at = append(at, <-now)
	}
	return at
}

// get requests path on a new connection.
func get(t *testing.T, addr, path string) *http.Response {
	t.Helper()
	c := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := c.Get("http://" + addr + path)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res
}

// TestSleep checks that a server without clients gives its loops no ticks, and that a client that
// connects then is served as usual.
func TestSleep(t *testing.T) {
	t.Parallel()
	const head, beat = 600 * time.Millisecond, 1500 * time.Millisecond
	s, addr := serveResting(t, Options{Loops: 2, HeadTimeout: head, Heartbeat: beat})
	before := s.ticksServed()
	time.Sleep(1500 * time.Millisecond)
	for i, at := range s.ticksServed() {
		if at != before[i] {
			t.Errorf("loop %d got a tick although it has no client", i)
		}
	}

	date, err := http.ParseTime(get(t, addr, "/healthz").Header.Get("Date"))
	if age := time.Since(date); err != nil || age > 2*time.Second || age < -time.Second {
		t.Errorf("after the rest the Date field is %v old, %v", age, err)
	}

	// Clients that send nothing, more of them than loops.
	s.awaitRest(t)
	for range 4 {
		begun := time.Now()
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = nc.SetDeadline(begun.Add(10 * time.Second))
		_, err = nc.Read(make([]byte, 1))
		if took := time.Since(begun); err != io.EOF || took < head-tickUnit || took > head+time.Second {
			t.Errorf("a silent client was disconnected after %v, want %v: %v", took, head, err)
		}
		_ = nc.Close()
		s.awaitRest(t)
	}

	// A stream gets its heartbeats although the loops rest in between.
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_, _ = io.WriteString(nc, listenTo("1", everything).String())
	lines := bufio.NewReader(nc)
	var last time.Time
	rested := false
	for beats := 0; beats < 4; {
		_ = nc.SetReadDeadline(time.Now().Add(10 * time.Second))
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("after %d heartbeats: %v", beats, err)
		}
		rested = rested || s.parked.Load()
		if line != ":\n" && line != ":\r\n" {
			continue
		}
		if beats++; beats > 1 {
			if gap := time.Since(last); gap < beat*8/10 || gap > beat*12/10+500*time.Millisecond {
				t.Errorf("a heartbeat came after %v, want about %v", gap, beat)
			}
		}
		last = time.Now()
	}
}

// TestSweepWhileResting checks that expired entries are removed from the session table even if no
// loop has anything else to do.
func TestSweepWhileResting(t *testing.T) {
	t.Parallel()
	s, _ := serveResting(t, Options{Loops: 2})
	for i := range session.Shards {
		s.sessions.Delete(keyOf(i), uint32(time.Now().Unix())-10)
	}
	for limit := time.Now().Add(20 * time.Second); s.sessions.Stats().Revoked > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%d revocations that have expired are left", s.sessions.Stats().Revoked)
		}
	}
	s.awaitRest(t)
}
