package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

// An endRig is a server whose tokens are USER or USER.LIFE, on a listener and on net/http.
type endRig struct {
	t     *testing.T
	s     *server.Server
	addrs map[string]string
	began chan struct{} // receives each call that has begun
	ended chan error    // receives the cause of the end of each call's context
	free  chan struct{} // lets one call return
}

func newEndRig(t *testing.T, o server.Options) *endRig {
	t.Helper()
	r := &endRig{t: t, addrs: map[string]string{}, began: make(chan struct{}, 64), ended: make(chan error, 64), free: make(chan struct{}, 64)}
	m := mcp.NewServer(&mcp.Implementation{Name: "end", Version: "1"}, &mcp.ServerOptions{Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(m.Close)
	type how struct{ How string }
	mcp.AddTool(m, &mcp.Tool{Name: "work"}, func(ctx context.Context, q *mcp.CallToolRequest, in how) (*mcp.CallToolResult, any, error) {
		r.began <- struct{}{}
		ask := &mcp.ElicitParams{Message: "well?"}
		switch in.How {
		case "parks":
			return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"q": ask}}, nil, nil
		case "asks":
			_, err := q.Session.Elicit(ctx, ask)
			r.ended <- err
			return nil, nil, err
		}
		select {
		case <-r.free:
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "finished"}}}, nil, nil
		case <-ctx.Done():
			r.ended <- context.Cause(ctx)
			return nil, nil, ctx.Err()
		}
	})
	o.Loops, o.Logger, o.SSEPath = 2, slog.New(slog.DiscardHandler), "/sse"
	o.Authenticate = &server.Authentication{AllowMissingExpiration: true, Verifier: func(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
		user, life, ok := strings.Cut(token, ".")
		info := &auth.TokenInfo{UserID: user}
		if d, err := time.ParseDuration(life); ok && err == nil {
			info.Expiration = time.Now().Add(d)
		}
		return info, nil
	}}
	r.s = server.New(m, &o)
	l, err := r.s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addrs["listener"] = l.Addr().String()
	go func() { _ = r.s.Serve(l) }()
	hs := httptest.NewServer(r.s)
	r.addrs["net/http"] = hs.Listener.Addr().String()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = r.s.Shutdown(ctx)
		hs.CloseClientConnections()
		hs.Close()
	})
	return r
}

// An endCall is a call in flight.
type endCall struct {
	nc  net.Conn
	res chan *http.Response // receives the response, or nil if the connection was closed first
}

// send sends a request on a connection of its own, and reads the head of the response.
func (r *endRig) send(addr, text string) endCall {
	r.t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(nc, text)
	c := endCall{nc, make(chan *http.Response, 1)}
	go func() {
		res, err := http.ReadResponse(bufio.NewReader(nc), nil)
		if err != nil {
			res = nil
		}
		c.res <- res
	}()
	return c
}

func endPost(path, token, fields, body string) string {
	return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nAuthorization: Bearer " +
		token + "\r\n" + fields + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body)) + body
}

// call begins a call of one of the kinds of endKinds, and waits until its handler runs or has
// asked.
func (r *endRig) call(addr, token, kind string) endCall {
	r.t.Helper()
	era, how, _ := strings.Cut(kind, " ")
	args := `"name":"work","arguments":{"How":"` + how + `"}`
	var c endCall
	switch era {
	case "modern":
		body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{` + args + `,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`
		c = r.send(addr, endPost("/mcp", token, "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: work\r\n", body))
	case "session":
		res := <-r.send(addr, endPost("/mcp", token, "", `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}},"clientInfo":{"name":"x","version":"1"}}}`)).res
		c = r.send(addr, endPost("/mcp", token, "Mcp-Session-Id: "+res.Header.Get("Mcp-Session-Id")+"\r\n", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{`+args+`}}`))
	case "sse":
		c = r.send(addr, "GET /sse HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nAuthorization: Bearer "+token+"\r\n\r\n")
		res := <-c.res
		br := bufio.NewReader(res.Body)
		line := ""
		for !strings.HasPrefix(line, "data: ") {
			var err error
			if line, err = br.ReadString('\n'); err != nil {
				r.t.Fatal(err)
			}
		}
		res.Body = io.NopCloser(br)
		c.res <- res
		to := strings.TrimSpace(strings.TrimPrefix(line, "data: "))
		if strings.HasPrefix(to, "?") {
			to = "/sse" + to
		}
		for _, body := range []string{
			`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`,
			`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{` + args + `}}`,
		} {
			if res := <-r.send(addr, endPost(to, token, "", body)).res; res == nil || res.StatusCode != 202 {
				r.t.Fatalf("%s: %+v", to, res)
			}
		}
	}
	select {
	case <-r.began:
	case <-time.After(patience):
		r.t.Fatalf("%s: the call does not begin", kind)
	}
	if how == "parks" || how == "asks" {
		time.Sleep(100 * time.Millisecond) // the question is on its way
	}
	return c
}

// end waits for the end of a call and returns its status and all of its content.
func (r *endRig) end(c endCall) (int, string) {
	r.t.Helper()
	res := <-c.res
	if res == nil {
		r.t.Fatal("no response")
	}
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(b)
}

var endKinds = []string{"modern runs", "session runs", "session parks", "session asks", "sse runs"}

// Revoke ends every kind of call of a user at once, attached or not, and nobody else's.
func TestRevokeEndsCalls(t *testing.T) {
	r := newEndRig(t, server.Options{})
	for where, addr := range r.addrs {
		for _, kind := range endKinds {
			for _, left := range []bool{false, true} {
				if left && !strings.HasPrefix(kind, "session ") {
					continue // there a disconnect is the end
				}
				name := fmt.Sprintf("%s, %s, left: %t", where, kind, left)
				bob := r.call(addr, "bob", "modern runs")
				c := r.call(addr, "ann", kind)
				if left {
					_ = c.nc.Close()
					<-c.res
					time.Sleep(100 * time.Millisecond)
				}
				began := time.Now()
				if n := r.s.Revoke(func(ti *auth.TokenInfo) bool { return ti.UserID == "ann" }); n < 1 {
					t.Errorf("%s: Revoke ended %d", name, n)
				}
				if !strings.HasSuffix(kind, "parks") {
					select {
					case err := <-r.ended:
						if err == nil || !strings.Contains(err.Error(), "revoked") && !strings.Contains(err.Error(), "canceled") {
							t.Errorf("%s: the handler's context ended with %v", name, err)
						}
					case <-time.After(patience):
						t.Fatalf("%s: the handler's context does not end", name)
					}
				}
				if !left {
					status, body := r.end(c)
					stream := kind == "session parks" || kind == "session asks" || kind == "sse runs" // has begun
					if strings.Contains(body, "finished") || (status == 401) == stream || !stream && !strings.Contains(body, "not valid any more") {
						t.Errorf("%s: %d %s", name, status, body)
					}
				}
				if d := time.Since(began); d > 5*time.Second {
					t.Errorf("%s: that took %v", name, d)
				}
				r.free <- struct{}{}
				if status, body := r.end(bob); status != 200 || !strings.Contains(body, "finished") {
					t.Errorf("%s: bob: %d %s", name, status, body)
				}
				await(t, "no call is left", func() bool { return r.s.Stats().CallsInFlight == 0 })
			}
		}
	}
}

// A call that began with a valid token finishes after the token has expired, on a stream or not,
// and CallTimeout limits it.
func TestCallOutlivesToken(t *testing.T) {
	for _, free := range []bool{true, false} {
		r := newEndRig(t, server.Options{CallTimeout: 1500 * time.Millisecond, Heartbeat: 300 * time.Millisecond})
		calls := map[string]endCall{}
		for where, addr := range r.addrs {
			for _, kind := range []string{"modern runs", "session runs"} {
				calls[where+", "+kind] = r.call(addr, fmt.Sprint("ann", len(calls), ".300ms"), kind)
			}
		}
		time.Sleep(700 * time.Millisecond) // the tokens have expired, and heartbeats have made streams
		want := "-32603"
		if free {
			want = "finished"
			for range calls {
				r.free <- struct{}{}
			}
		}
		for name, c := range calls {
			if status, body := r.end(c); status != 200 || !strings.Contains(body, want) {
				t.Errorf("%s, free: %t: %d %s", name, free, status, body)
			}
			if !free {
				if err := <-r.ended; err == nil {
					t.Errorf("%s: the handler's context did not end", name)
				}
			}
		}
	}
}
