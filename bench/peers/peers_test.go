package peers

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestPeers starts each peer that is built and checks what peers.json says about it.
func TestPeers(t *testing.T) {
	list, err := List()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		t.Run(p.Name, func(t *testing.T) {
			pr := start(t, p)
			serves := func(era string) bool { return slices.Contains(p.Eras, era) }
			if serves("plain") {
				pr.checkPlain()
			} else {
				pr.checkModern(serves("modern"))
				pr.checkLegacy(serves("legacy"), serves("legacy-stateless"))
			}
			http.DefaultClient.CloseIdleConnections()
			if took := pr.terminate(5 * time.Second); took > shutdownTimeout {
				t.Errorf("with nothing open it took %v to exit", took)
			}
		})
	}
}

// TestPeersEnd checks that each peer exits soon after the timeout while a stream and a call are
// open, and logs what became of them: go test -v shows it.
func TestPeersEnd(t *testing.T) {
	list, err := List()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		t.Run(p.Name, func(t *testing.T) {
			pr := start(t, p)
			stream := pr.anyStream()
			call := pr.slowCall(400 * time.Millisecond)
			took := pr.terminate(shutdownTimeout + 5*time.Second)
			last := "nothing"
			for data := range stream.events {
				last = data
			}
			t.Logf("exited after %v; the stream's last event was %.120s, and then %v; the call ended with %s", took.Round(10*time.Millisecond), last, stream.err, <-call)
			if p.Kind == "mooring" && !strings.Contains(last, `"result"`) && slices.Contains(p.Eras, "modern") {
				t.Error("a subscription ended without its result")
			}
		})
	}
}

// anyStream opens a stream of the newest era that the peer serves.
func (p *process) anyStream() *listener {
	p.t.Helper()
	c := &client{t: p.t, url: p.peer.URL, modern: true}
	switch {
	case slices.Contains(p.peer.Eras, "modern"):
		l := c.listen()
		l.want("acknowledged")
		return l
	case slices.Contains(p.peer.Eras, "legacy"):
		c.modern = false
		c.initialize()
	}
	return c.get()
}

// slowCall calls the tool sleep, if the peer has it, waits until the call has surely begun, and
// returns how it ends.
func (p *process) slowCall(d time.Duration) <-chan string {
	p.t.Helper()
	ended := make(chan string, 1)
	if !slices.Contains(p.peer.Tools, "sleep") {
		ended <- "nothing: there is no tool that sleeps"
		return ended
	}
	c := &client{t: p.t, url: p.peer.URL, modern: slices.Contains(p.peer.Eras, "modern")}
	if !c.modern {
		c.initialize()
	}
	req := c.request(p.t.Context(), 99, "tools/call", "sleep", fmt.Sprintf(`{"name":"sleep","arguments":{"milliseconds":%d}`, d.Milliseconds()))
	go func() {
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			ended <- err.Error()
			return
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		ended <- fmt.Sprintf("%s %.200q (%v)", res.Status, body, err)
	}()
	time.Sleep(d / 2)
	return ended
}

// checkModern checks that the peer serves 2026-07-28, or that it refuses it.
func (p *process) checkModern(served bool) {
	p.t.Helper()
	c := &client{t: p.t, url: p.peer.URL, modern: true}
	m, _ := c.exchange("server/discover", "", "")
	if m.Error != nil {
		p.t.Fatalf("server/discover: error %d: %s", m.Error.Code, m.Error.Message)
	}
	var found struct{ SupportedVersions []string }
	read(p.t, string(m.Result), &found)
	if slices.Contains(found.SupportedVersions, modernRevision) != served {
		p.t.Errorf("server/discover supports %v, but peers.json says modern: %t", found.SupportedVersions, served)
	}
	if !served {
		// The Go SDK with sessions answers server/discover without serving the revision that it
		// belongs to.
		if m, _ := c.exchange("tools/list", "", ""); m.Error == nil {
			p.t.Errorf("tools/list at %s is answered, but peers.json says that it is not served", modernRevision)
		}
		return
	}
	p.checkTools(c)
	l := c.listen()
	defer l.cancel()
	var ack, changed message
	read(p.t, l.want("notifications/subscriptions/acknowledged"), &ack)
	p.checkChange(c, func() { read(p.t, l.want("notifications/tools/list_changed"), &changed) })
	if id := string(ack.Params.Meta.Subscription); id == "" || id != string(changed.Params.Meta.Subscription) {
		p.t.Errorf("the acknowledgement is for subscription %s, the change for %s", id, changed.Params.Meta.Subscription)
	}
}

// checkLegacy checks that the peer serves 2025-11-25: with sessions, without them, or not at all.
func (p *process) checkLegacy(sessions, stateless bool) {
	p.t.Helper()
	c := &client{t: p.t, url: p.peer.URL}
	if !sessions && !stateless {
		return
	}
	c.initialize()
	if (c.session != "") != sessions {
		p.t.Fatalf("initialize gave session %q, but peers.json says sessions: %t", c.session, sessions)
	}
	p.checkTools(c)
	if !sessions {
		res := c.do(c.getRequest(p.t.Context()))
		defer res.Body.Close()
		if res.StatusCode != http.StatusMethodNotAllowed {
			p.t.Errorf("GET without sessions: %s, want 405", res.Status)
		}
		return
	}
	l := c.get()
	defer l.cancel()
	p.checkChange(c, func() { l.want("notifications/tools/list_changed") })
}

// checkPlain checks that the peer's stream carries what is posted.
func (p *process) checkPlain() {
	p.t.Helper()
	c := &client{t: p.t, url: p.peer.URL}
	l := c.get()
	defer l.cancel()
	for range 3 {
		res, err := http.Post(p.peer.Change.URL, "application/json", strings.NewReader(p.peer.Change.Body))
		if err != nil {
			p.t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode >= 300 {
			p.t.Errorf("POST %s: %s", p.peer.Change.URL, res.Status)
		}
		if got := l.want("list_changed"); got != p.peer.Change.Body {
			p.t.Errorf("the stream carried %s", got)
		}
	}
}

// checkTools calls each tool that the peer has.
func (p *process) checkTools(c *client) {
	p.t.Helper()
	for _, want := range p.peer.Tools {
		if got := c.tools(); !slices.Contains(got, want) {
			p.t.Errorf("tools/list has %v, want %s", got, want)
		}
	}
	// The floor on gnet has one answer to all calls.
	if got := c.call("echo", `{"text":"a \"name\" ✓"}`); got != `a "name" ✓` && p.peer.Name != "gnet" {
		p.t.Errorf("echo returned %q", got)
	}
	if !slices.Contains(p.peer.Tools, "sleep") {
		return
	}
	began := time.Now()
	if got := c.call("sleep", `{"milliseconds":120}`); got != "slept" || time.Since(began) < 120*time.Millisecond {
		p.t.Errorf("sleep returned %q after %v", got, time.Since(began))
	}
	const mebibyte = 1 << 20
	if got := c.call("large", `{"bytes":1048576}`); len(got) != mebibyte {
		p.t.Errorf("large returned %d bytes", len(got))
	}
	if m, _ := c.exchange("tools/call", "large", `{"name":"large","arguments":{"bytes":16777217}`); m.Error == nil && !strings.Contains(string(m.Result), `"isError":true`) {
		p.t.Errorf("large is not limited: %.200s", m.Result)
	}
}

// checkChange toggles the tool extra twice; told waits for the notification on the stream.
func (p *process) checkChange(c *client, told func()) {
	p.t.Helper()
	for range 2 {
		before := slices.Contains(c.tools(), "extra")
		c.call("toggle", "{}")
		told()
		if after := slices.Contains(c.tools(), "extra"); after == before {
			p.t.Errorf("the tool extra exists: %t, both before and after toggle", before)
		}
	}
}

// initialize opens a session, if the peer has sessions.
func (c *client) initialize() {
	c.t.Helper()
	m, head := c.exchange("initialize", "", `{"protocolVersion":"`+legacyRevision+`","capabilities":{},"clientInfo":{"name":"test","version":"1"}`)
	if m.Error != nil {
		c.t.Fatalf("initialize: error %d: %s", m.Error.Code, m.Error.Message)
	}
	var res struct{ ProtocolVersion string }
	read(c.t, string(m.Result), &res)
	if res.ProtocolVersion != legacyRevision {
		c.t.Errorf("initialize gave revision %s", res.ProtocolVersion)
	}
	c.session = head.Get("Mcp-Session-Id")
	c.notify("notifications/initialized")
}

// listen opens a stream of changes to the tools at 2026-07-28.
func (c *client) listen() *listener {
	c.t.Helper()
	c.id++
	return open(c.t, func(ctx context.Context) *http.Request {
		return c.request(ctx, c.id, "subscriptions/listen", "", `{"notifications":{"toolsListChanged":true}`)
	})
}

// get opens the stream of the session.
func (c *client) get() *listener {
	c.t.Helper()
	return open(c.t, c.getRequest)
}

func (c *client) getRequest(ctx context.Context) *http.Request {
	c.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("MCP-Protocol-Version", legacyRevision)
	c.authorize(req)
	return req
}

func read(t *testing.T, text string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("%v: %.300s", err, text)
	}
}
