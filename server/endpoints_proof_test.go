//go:build linux

package server_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

// whoServer returns an mcp.Server with proofResource and the tool "who", which returns what it
// sees of its request.
func whoServer(t *testing.T) *mcp.Server {
	ms := mcp.NewServer(&mcp.Implementation{Name: "second", Version: "1"}, &mcp.ServerOptions{Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(ms.Close)
	ms.AddResource(&mcp.Resource{Name: "clock", URI: proofResource}, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return nil, nil // not read in these tests
	})
	mcp.AddTool(ms, &mcp.Tool{Name: "who"}, func(ctx context.Context, req *mcp.CallToolRequest, _ noArgs) (*mcp.CallToolResult, any, error) {
		return text(fmt.Sprintf("peer %v, tenant %q, agent %q, value %v", req.Extra.RemoteAddr, req.Extra.Header["X-Tenant"], req.Extra.Header["User-Agent"], ctx.Value(proofKey{}))), nil, nil
	})
	return ms
}

type proofKey struct{}

// Over real sockets, on the engine of the tests: two endpoints, their streams, and what handlers
// see of their peers.
func TestEndpointsOverSockets(t *testing.T) {
	p := newProofServer(t, &server.Options{
		HandlerHeaders: []string{"X-Tenant"},
		Context: func(ctx context.Context, head *server.RequestHead) context.Context {
			return context.WithValue(ctx, proofKey{}, head.Path)
		},
	})
	second := whoServer(t)
	p.Handle("/second", second)
	l, err := p.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.serve(l)
	at := func(path, request string) string {
		return strings.Replace(request, "POST /mcp ", "POST "+path+" ", 1)
	}
	open := func(path string, id int) *proofStream {
		c := p.dial()
		c.send(at(path, listenRequest(id)))
		s := c.stream("subscriptions/listen")
		s.want("notifications/subscriptions/acknowledged")
		return s
	}
	var first, others []*proofStream
	for i := range 20 {
		first, others = append(first, open("/mcp", i)), append(others, open("/second", i))
	}
	if n := p.Stats().Streams; n != 40 {
		t.Errorf("%d streams, want 40", n)
	}
	c := p.dial()
	local := c.LocalAddr().(*net.TCPAddr).AddrPort()
	c.send(strings.Replace(at("/second", callRequest(1, "who", `{}`, "")), "Host:", "x-tenant: t\r\nUser-Agent: a\r\nHost:", 1))
	want := fmt.Sprintf(`peer %v, tenant [\"t\"], agent [], value /second`, local)
	if a := c.answer("tools/call"); !strings.Contains(a.body, want) {
		t.Errorf("the handler sees %s, want %s", a.body, want)
	}
	c.Close()
	// Each stream gets the update of its own server, and nothing else before it.
	_ = second.ResourceUpdated(t.Context(), &mcp.ResourceUpdatedNotificationParams{URI: proofResource})
	for _, s := range others {
		s.want("resources/updated")
	}
	p.toggle()
	for _, s := range first {
		s.want("tools/list_changed")
	}
	_ = p.mcp.ResourceUpdated(t.Context(), &mcp.ResourceUpdatedNotificationParams{URI: proofResource})
	second.RemoveResources(proofResource)
	mcp.AddTool(second, &mcp.Tool{Name: "more"}, func(context.Context, *mcp.CallToolRequest, noArgs) (*mcp.CallToolResult, any, error) {
		return nil, nil, nil
	})
	for i := range first {
		first[i].want("resources/updated")
		others[i].want("tools/list_changed")
		if i%2 == 0 {
			first[i].Close()
			others[i].reset()
		} else {
			first[i].reset()
			others[i].Close()
		}
	}
	p.wantNothingLeft()
	s := open("/second", 7)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := p.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	s.want(`"result"`)
	if _, err := s.next(); err != io.EOF {
		t.Errorf("behind the result: %v", err)
	}
	s.Close()
}

// On net/http handlers see all header fields and the values of the request's context, and
// Options.Context sees the path of the request.
func TestContextOnNetHTTP(t *testing.T) {
	ms := whoServer(t)
	h := server.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return ms }, &server.StreamableHTTPOptions{
		Options: &server.Options{Context: func(ctx context.Context, head *server.RequestHead) context.Context {
			return context.WithValue(ctx, proofKey{}, fmt.Sprintf("%s %s %d %s", head.Method, head.Path, head.RemoteAddr.Port(), ctx.Value(proofKey{})))
		}},
	})
	defer h.Close()
	body := callBody(1, "who", `{}`, "")
	r := httptest.NewRequest("POST", "/a/b?c", strings.NewReader(body))
	for name, value := range map[string]string{"Content-Type": "application/json", "Accept": "application/json", "MCP-Protocol-Version": revision, "Mcp-Method": "tools/call", "Mcp-Name": "who", "User-Agent": "agent"} {
		r.Header.Set(name, value)
	}
	r.RemoteAddr = "192.0.2.9:99"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), proofKey{}, "of net/http")))
	if want := `peer 192.0.2.9:99, tenant [], agent [\"agent\"], value POST /a/b 99 of net/http`; !strings.Contains(w.Body.String(), want) {
		t.Errorf("%d %s, want %s", w.Code, w.Body, want)
	}
}
