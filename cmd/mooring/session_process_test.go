package main

import (
	"bufio"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

const (
	initializeBody = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`
	pingBody       = `{"jsonrpc":"2.0","id":2,"method":"ping"}`
)

// post posts a message of an earlier revision and returns the status and the session id of the
// response.
func post(t *testing.T, url, session, body string) (status int, id string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	if session != "" {
		req.Header.Set("Mcp-Session-Id", session)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("Mcp-Session-Id")
}

func TestSessionsOutliveTheProcessByTheirKeys(t *testing.T) {
	older, newer := strings.Repeat("0b", 32), strings.Repeat("c1", 32)
	serve := func(keys string) *process {
		return start(t, command(t, nil, "serve", "--listen", "127.0.0.1:0", "--session-key-file", keyFile(t, keys)))
	}
	end := func(p *process) {
		http.DefaultClient.CloseIdleConnections()
		p.signal(syscall.SIGTERM)
		if code := p.wait(); code != 0 {
			t.Fatalf("exit %d: %s", code, p.output())
		}
	}
	p := serve(older)
	_, id := post(t, p.urls[0], "", initializeBody)
	if status, _ := post(t, p.urls[0], id, pingBody); id == "" || status != 200 {
		t.Fatalf("session %q: ping %d", id, status)
	}
	end(p)

	p = serve(newer + "\n" + older)
	if status, _ := post(t, p.urls[0], id, pingBody); status != 200 {
		t.Errorf("after a restart and a rotation: ping %d, want 200", status)
	}
	_, next := post(t, p.urls[0], "", initializeBody)
	end(p)

	p = serve(newer)
	if status, _ := post(t, p.urls[0], id, pingBody); status != 404 {
		t.Errorf("the key of the session was removed: ping %d, want 404", status)
	}
	if status, _ := post(t, p.urls[0], next, pingBody); status != 200 {
		t.Errorf("the session was sealed with the first key: ping %d, want 200", status)
	}
	end(p)
}

func TestHTTPAndSSEAndModernOnly(t *testing.T) {
	p := start(t, command(t, []string{"MOORING_SSE_PATH=/old"}, "serve", "--listen", "127.0.0.1:0"))
	base := strings.TrimSuffix(p.urls[0], "/mcp")
	resp, err := http.Get(base + "/old")
	if err != nil {
		t.Fatal(err)
	}
	stream := bufio.NewReader(resp.Body)
	defer resp.Body.Close()
	event, _ := stream.ReadString('\n')
	where, _ := stream.ReadString('\n')
	path, ok := strings.CutPrefix(strings.TrimSpace(where), "data: ")
	if event != "event: endpoint\n" || !ok {
		t.Fatalf("the stream begins %q, %q", event, where)
	}
	if status, _ := post(t, base+path, "", pingBody); status != 202 {
		t.Errorf("POST: %d, want 202", status)
	}
	for !strings.HasPrefix(event, "data: {") {
		if event, err = stream.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	if event != `data: {"jsonrpc":"2.0","id":2,"result":{}}`+"\n" {
		t.Errorf("the stream answers %s", event)
	}

	p = start(t, command(t, nil, "serve", "--listen", "127.0.0.1:0", "--modern-only"))
	if status, id := post(t, p.urls[0], "", initializeBody); status == 200 || id != "" {
		t.Errorf("--modern-only: initialize %d, session %q", status, id)
	}
	if resp, err := http.Get(p.urls[0]); err != nil || resp.StatusCode != 405 {
		t.Errorf("--modern-only: GET %v, %v", resp, err)
	} else {
		resp.Body.Close()
	}
}
