//go:build linux

package server_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// crowd connects n clients, each of which sends a request and reads nothing.
func (c *proofChild) crowd(n int, request string) (peers []*childPeer) {
	c.t.Helper()
	for range n {
		p := c.dial()
		if _, err := io.WriteString(p, request); err != nil {
			c.t.Fatal(err)
		}
		peers = append(peers, p)
	}
	return peers
}

// health asks a new connection for its health, and returns how long that took.
func (c *proofChild) health(why string) time.Duration {
	c.t.Helper()
	begun := time.Now()
	p := c.dial()
	if _, err := io.WriteString(p, getRequest("/healthz")); err != nil {
		c.t.Fatal(err)
	}
	if err := p.answered("ok", patience); err != nil {
		c.t.Fatalf("%s: health: %v", why, err)
	}
	return time.Since(begun)
}

// Clients that say nothing hold all descriptors: they give way, and health checks are answered.
func TestHealthAmongTheSilent(t *testing.T) {
	for _, remote := range []bool{false, true} {
		t.Run(fmt.Sprintf("remote=%v", remote), func(t *testing.T) {
			c := startChildWith(t, 1024, remote)
			c.crowd(1000, "")
			const soon = 2 * time.Second
			if d := c.health("1,000 clients that say nothing"); d > soon && !raceDetector {
				t.Errorf("health was answered after %v", d)
			}
			for range 20 {
				c.health("again")
			}
			r := c.report()
			if r.GaveWay == 0 || r.Panics > 0 {
				t.Errorf("%+v", r)
			}
			if p := c.dial(); p.ask(patience) != nil {
				t.Error("a call is not answered")
			}
		})
	}
}

// Clients that keep their connections after a call give way to those that wait for one, and all are
// served without anybody leaving. Streams stay.
func TestIdleGiveWay(t *testing.T) {
	c := startChildWith(t, childLimit, true)
	var streams []*childPeer
	for range 100 {
		p := c.dial()
		if err := p.listen(); err != nil {
			t.Fatal(err)
		}
		streams = append(streams, p)
	}
	for i, p := range c.crowd(1200, callRequest(1, "add", `{"A":2,"B":3}`, "")) {
		if err := p.answered(`"Sum":5`, patience); err != nil {
			t.Fatalf("client %d: %v", i, err)
		}
	}
	if n := dropped(t, streams); n > 0 {
		t.Errorf("%d streams gave way", n)
	}
	if r := c.report(); r.Streams != 100 || r.GaveWay < 1200-childLimit || r.Panics > 0 {
		t.Errorf("%+v", r)
	}
	c.wantQuiet("full, and nobody waits")
}

// Streams hold all descriptors: nothing gives way, a health check on a loopback listener is
// answered nevertheless, and a call gets 503 with Retry-After.
func TestHealthAmongStreams(t *testing.T) {
	c := startChildWith(t, 1024, false)
	peers := c.crowd(1000, listenRequest(1))
	const soon = 2 * time.Second
	if d := c.health("1,000 streams"); d > soon && !raceDetector {
		t.Errorf("health was answered after %v", d)
	}
	before := c.report()
	if before.Streams < before.Bound {
		t.Fatalf("%d streams, the bound is %d", before.Streams, before.Bound)
	}
	for range 20 {
		c.health("again")
		p := c.dial()
		if _, err := io.WriteString(p, callRequest(1, "add", `{"A":2,"B":3}`, "")); err != nil {
			t.Fatal(err)
		}
		_ = p.SetReadDeadline(time.Now().Add(patience))
		res, err := http.ReadResponse(p.br, nil)
		if err != nil || res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
			t.Fatalf("a call at the limit: %v, %v", res, err)
		}
	}
	// Who says nothing does not hold the places that are for health checks.
	c.crowd(50, "")
	c.crowd(50, "POST /mcp HT")
	if d := c.health("50 more that say nothing, and 50 that say half"); d > 10*time.Second {
		t.Errorf("health was answered after %v", d)
	}
	r := c.report()
	if r.Streams != before.Streams || r.Panics > 0 {
		t.Errorf("%+v, before it was %+v", r, before)
	}
	served := 0
	for _, p := range peers {
		if err := p.acknowledged(patience); err == nil {
			served++
			if dropped(t, []*childPeer{p}) > 0 {
				t.Fatal("a stream was closed")
			}
		}
	}
	if int64(served) != r.Streams {
		t.Errorf("%d clients have a stream, the server counts %d", served, r.Streams)
	}
}
