package server

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/engine"
)

// TestOneConnectionsTurn checks that a client that pipelines without end gets only a few requests
// served at a time, so that other clients are served in between.
func TestOneConnectionsTurn(t *testing.T) {
	ms := mcp.NewServer(&mcp.Implementation{Name: "turns", Version: "1"}, nil)
	t.Cleanup(ms.Close)
	s := New(ms, &Options{Loops: 1, Logger: slog.New(slog.DiscardHandler)})
	ln, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(ln) }()
	t.Cleanup(func() { _ = s.Shutdown(t.Context()) })
	request := request{method: "server/discover"}.String()
	ctx := t.Context()
	go func() {
		for ctx.Err() == nil { // reconnect: the server disconnects a client that reads too slowly
			pipeline(ctx, ln.Addr().String(), []byte(strings.Repeat(request, 1000)))
		}
	}()
	served := func() uint64 { return s.Stats().Requests[RequestLabels{"server/discover", "ok"}] }
	for deadline := time.Now().Add(10 * time.Second); served() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no request was served")
		}
	}
	l := s.loops[0]
	most, before, goal := uint64(0), uint64(0), uint64(0)
	end := time.Now().Add(10 * time.Second)
	done := make(chan struct{})
	var round func()
	round = func() { // runs when the sockets have had their turn
		now := l.m.requests[mcp.MethodDiscover][outcomeOK].Load()
		if goal == 0 {
			goal = now + 500
		} else {
			most = max(most, now-before)
		}
		before = now
		if now > goal || time.Now().After(end) {
			close(done)
			return
		}
		l.base.Again(round)
	}
	l.execute(round)
	<-done
	if most == 0 {
		t.Fatal("the client did not keep the loop busy")
	}
	if limit := uint64(engine.ReadSize/len(request) + 2); most > limit {
		t.Errorf("%d requests of one connection are served in a row, want %d at most", most, limit)
	}
}

// pipeline sends b again and again until the connection or ctx ends.
func pipeline(ctx context.Context, addr string, b []byte) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer context.AfterFunc(ctx, func() { _ = nc.Close() })()
	defer nc.Close()
	go func() { _, _ = io.Copy(io.Discard, nc) }()
	for err == nil {
		_, err = nc.Write(b)
	}
}
