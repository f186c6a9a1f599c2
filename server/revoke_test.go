package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/mcp"
)

// A revokeRig is a server on a socket whose tokens are names of users.
type revokeRig struct {
	t       *testing.T
	s       *Server
	addr    string
	calls   atomic.Int64
	revoked atomic.Bool // of ann
	began   chan struct{}
}

func newRevokeRig(t *testing.T, engine Engine) *revokeRig {
	t.Helper()
	r := &revokeRig{t: t, began: make(chan struct{}, 8)}
	m := mcp.NewServer(&mcp.Implementation{Name: "revoke", Version: "1"}, nil)
	m.AddTool(&mcp.Tool{Name: "wait", InputSchema: map[string]any{"type": "object"}}, func(ctx context.Context, _ *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		r.began <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	r.s = New(m, &Options{Engine: engine, Loops: 2, Authenticate: &Authentication{
		AllowMissingExpiration: true,
		Verifier: func(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
			r.calls.Add(1)
			if token == "ann" && r.revoked.Load() {
				return nil, auth.ErrInvalidToken
			}
			return &auth.TokenInfo{UserID: token}, nil
		},
	}})
	l, err := r.s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = l.Addr().String()
	go func() { _ = r.s.Serve(l) }()
	t.Cleanup(func() { _ = r.s.Shutdown(context.Background()) })
	return r
}

// post sends a message of 2026-07-28 and returns the response, whose content is read by the caller.
func (r *revokeRig) post(user, method, params string) *http.Response {
	r.t.Helper()
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"}}`
	body := `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{` + params + meta + `}}`
	name := ""
	if method == "tools/call" {
		name = "Mcp-Name: wait\r\n"
	}
	fmt.Fprintf(nc, "POST /mcp HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"+
		"Authorization: Bearer %s\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: %s\r\n%sContent-Length: %d\r\n\r\n%s", r.addr, user, method, name, len(body), body)
	res, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

// Revoke ends the streams and calls of one user and of nobody else, and the tokens are verified
// again.
func TestRevoke(t *testing.T) {
	engines := []Engine{EngineGnet}
	if runtime.GOOS == "linux" {
		engines = append(engines, EngineEpoll)
	}
	for _, engine := range engines {
		t.Run(string(engine), func(t *testing.T) {
			r := newRevokeRig(t, engine)
			const listen = `"notifications":{"toolsListChanged":true},`
			var anns []*http.Response
			for range 8 {
				anns = append(anns, r.post("ann", "subscriptions/listen", listen))
			}
			bob := r.post("bob", "subscriptions/listen", listen)
			for _, res := range append(anns, bob) {
				if res.StatusCode != 200 {
					t.Fatalf("listen: %s", res.Status)
				}
			}
			answered := make(chan *http.Response, 1)
			go func() { answered <- r.post("ann", "tools/call", `"name":"wait","arguments":{},`) }()
			<-r.began
			before := r.calls.Load()

			r.revoked.Store(true)
			isAnn := func(ti *auth.TokenInfo) bool { return ti.UserID == "ann" }
			if n := r.s.Revoke(isAnn); n != len(anns)+1 {
				t.Errorf("Revoke: %d, want %d", n, len(anns)+1)
			}
			for i, res := range anns {
				rest, err := io.ReadAll(res.Body)
				if err != nil || !strings.Contains(string(rest), `"result":{`) {
					t.Errorf("stream %d ended with %q, %v", i, rest, err)
				}
			}
			if res := <-answered; res.StatusCode != 401 || !strings.Contains(res.Header.Get("WWW-Authenticate"), `error="invalid_token"`) {
				t.Errorf("the call: %s, %v", res.Status, res.Header)
			}
			if res := r.post("ann", "tools/list", ""); res.StatusCode != 401 {
				t.Errorf("the next request: %s", res.Status)
			}
			if res := r.post("bob", "tools/list", ""); res.StatusCode != 200 {
				t.Errorf("somebody else: %s", res.Status)
			}
			if n := r.calls.Load() - before; n != 1 {
				t.Errorf("the verifier was called %d times, want once, for ann", n)
			}
			if n := r.s.Stats().Streams; n != 1 {
				t.Errorf("%d streams are open, want bob's", n)
			}
			if n := r.s.Revoke(func(*auth.TokenInfo) bool { panic("no") }); n != 0 {
				t.Errorf("a function that panics ended %d", n)
			}
		})
	}
}
