package server

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
)

// TestHeldLoop holds one of two loops in an inline handler. New clients must be served by the
// other, and Shutdown must return and report what it left behind.
func TestHeldLoop(t *testing.T) { holdLoop(t, false) }

// TestHeldLoopAfterSleep does the same with a server that was idle before.
func TestHeldLoopAfterSleep(t *testing.T) { holdLoop(t, true) }

func holdLoop(t *testing.T, sleep bool) {
	free, entered := make(chan struct{}), make(chan struct{})
	ms := mcp.NewServer(&mcp.Implementation{Name: "held", Version: "1"}, nil)
	defer ms.Close()
	mcp.AddInlineTool(ms, &mcp.Tool{Name: "hold"}, func(*mcp.CallToolRequest, noIn) (addOut, error) {
		close(entered)
		<-free
		return addOut{}, nil
	})
	s := New(ms, &Options{Loops: 2, DrainTimeout: 500 * time.Millisecond})
	l, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	url := "http://" + l.Addr().String()
	get := func(limit time.Duration) bool {
		c := http.Client{Timeout: limit, Transport: &http.Transport{DisableKeepAlives: true}}
		res, err := c.Get(url + "/healthz")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		_, _ = io.Copy(io.Discard, res.Body)
		return res.StatusCode == 200
	}
	for !get(5 * time.Second) {
	}
	if sleep {
		s.awaitRest(t)
	}
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"hold","arguments":{},` +
		`"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
		`"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`
	req, _ := http.NewRequest("POST", url+"/mcp", strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	req.Header.Set("MCP-Protocol-Version", "2026-07-28")
	req.Header.Set("Mcp-Method", "tools/call")
	req.Header.Set("Mcp-Name", "hold")
	_ = req.Write(nc)
	select {
	case <-entered:
	case <-time.After(5 * time.Second):
		t.Fatal("the handler was not called")
	}
	// Connections that arrive before the loop counts as stuck go to both loops. Other clients
	// must not wait for those that the held loop keeps.
	const clients = 200
	for _, wave := range []struct {
		name string
		want int
	}{{"at once", clients / 4}, {"later", clients * 95 / 100}} {
		answers := make(chan bool, clients)
		for range clients {
			go func() { answers <- get(2 * time.Second) }()
		}
		ok := 0
		for range clients {
			if <-answers {
				ok++
			}
		}
		if ok < wave.want {
			t.Errorf("%s: %d of %d new clients were served while one loop was held", wave.name, ok, clients)
		}
	}
	begun := time.Now()
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(context.Background()) }()
	select {
	case err := <-done:
		var left *LeftError
		if !errors.As(err, &left) || len(left.Loops) != 1 || left.Connections == 0 {
			t.Errorf("Shutdown returned %v, want a LeftError with one loop", err)
		}
		if d := time.Since(begun); d > 3*time.Second {
			t.Errorf("Shutdown took %v", d)
		}
	case <-time.After(8 * time.Second):
		t.Error("Shutdown did not return")
	}
	select {
	case err := <-served:
		if !errors.Is(err, ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	case <-time.After(2 * time.Second):
		t.Error("Serve did not return")
	}
	close(free)
}
