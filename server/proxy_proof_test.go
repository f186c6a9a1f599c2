//go:build linux

package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

// The address of the PROXY header goes with the connection: through a loop, to Options.Other, back
// to a loop for the time of a stream, and to net/http once more.
func TestProxyHeaderOnSockets(t *testing.T) {
	for _, engine := range []server.Engine{server.EngineGnet, server.EngineEpoll} {
		p := serveBehindProxy(t, engine)
		nc, br := dialProxied(t, p, "PROXY TCP4 198.51.100.7 203.0.113.1 4660 443\r\n")
		const want = "198.51.100.7:4660"
		ask := func(why, request string) {
			t.Helper()
			if _, err := io.WriteString(nc, request); err != nil {
				t.Fatalf("%s, %s: %v", engine, why, err)
			}
			resp, err := http.ReadResponse(br, nil)
			if err != nil {
				t.Fatalf("%s, %s: %v", engine, why, err)
			}
			b, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != 200 || !strings.Contains(string(b), want) {
				t.Fatalf("%s, %s: %d %s %v", engine, why, resp.StatusCode, b, err)
			}
		}
		call := callRequest(1, "whence", `{}`, "")
		other := "GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n"
		slow := callRequest(2, "whenceSlow", `{}`, "")
		ask("inline", call)
		ask("inline again", call)
		ask("Options.Other", other)
		ask("a call on net/http", call)
		ask("a call that moves to a loop", slow)
		ask("Options.Other again", other)
		nc.Close()

		for _, bad := range []string{call, "PROXY TCP4 x\r\n"} {
			nc, br := dialProxied(t, p, bad)
			if b, err := io.ReadAll(br); len(b) > 0 {
				t.Errorf("%s: %q was answered: %q, %v", engine, bad, b, err)
			}
			nc.Close()
		}
		if st := p.Stats(); st.Refusals["proxy"] != 2 || st.Closes["proxy_header"] != 2 {
			t.Errorf("%s: %d refused, %d closed", engine, st.Refusals["proxy"], st.Closes["proxy_header"])
		}
	}
}

func serveBehindProxy(t *testing.T, engine server.Engine) *proofServer {
	t.Helper()
	p := newProofServer(t, &server.Options{
		Engine: engine, Loops: 2,
		ProxyProtocol: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Other: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.RemoteAddr)
		}),
	})
	type where struct{ Addr string }
	mcp.AddInlineTool(p.mcp, &mcp.Tool{Name: "whence"}, func(req *mcp.CallToolRequest, _ noArgs) (where, error) {
		return where{req.Extra.RemoteAddr.String()}, nil
	})
	mcp.AddTool(p.mcp, &mcp.Tool{Name: "whenceSlow"},
		func(_ context.Context, req *mcp.CallToolRequest, _ noArgs) (*mcp.CallToolResult, where, error) {
			time.Sleep(200 * time.Millisecond) // longer than a call stays on net/http
			return nil, where{req.Extra.RemoteAddr.String()}, nil
		})
	l, err := p.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.addr = l.Addr().String()
	go func() { _ = p.Serve(l) }()
	return p
}

func dialProxied(t *testing.T, p *proofServer, head string) (net.Conn, *bufio.Reader) {
	t.Helper()
	nc, err := net.Dial("tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(nc, head); err != nil {
		t.Fatal(err)
	}
	return nc, bufio.NewReader(nc)
}
