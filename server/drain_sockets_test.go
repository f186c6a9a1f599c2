package server

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
)

// While many idle connections are drained, the loop does other work after each slice. This test
// uses real sockets.
func TestDrainSharesTheLoop(t *testing.T) {
	const many = 2_000
	ms := mcp.NewServer(&mcp.Implementation{Name: "drain", Version: "1"}, nil)
	defer ms.Close()
	s := New(ms, &Options{Loops: 1})
	l, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	for range many {
		nc, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		_, _ = io.WriteString(nc, getHealth)
		_ = nc.SetReadDeadline(time.Now().Add(20 * time.Second))
		res, err := http.ReadResponse(bufio.NewReader(nc), nil)
		if err != nil || res.StatusCode != 200 {
			t.Fatal(res, err)
		}
	}
	var most, turns atomic.Int64
	on := s.loops[0]
	left := int64(many)
	look := func() { // after each turn that continues the drain
		now := on.m.connections.Load()
		if left != now {
			turns.Add(1)
		}
		most.Store(max(most.Load(), left-now))
		left = now
	}
	ready := make(chan struct{})
	on.execute(func() {
		run := on.runContinue
		on.runContinue = func() {
			run()
			look()
		}
		close(ready)
	})
	<-ready
	err = s.Shutdown(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	<-served
	if most.Load() > 2*drainSlice || turns.Load() < many/(2*drainSlice) {
		t.Errorf("%d connections were closed in %d turns, up to %d in one turn", many, turns.Load(), most.Load())
	}
	if n := s.Stats().Closes[closeDrain.String()]; n != many {
		t.Errorf("%d connections were closed because of the drain, want %d", n, many)
	}
}
