package hop

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

type waitIn struct {
	MS int `json:"ms"`
}

// startServer starts this module's own server, with HTTP+SSE at /sse.
func startServer(t *testing.T) (url string, features *mcp.Server) {
	t.Helper()
	features = mcp.NewServer(&mcp.Implementation{Name: "upstream", Version: "1"}, nil)
	mcp.AddTool(features, &mcp.Tool{Name: "wait"}, func(ctx context.Context, _ *mcp.CallToolRequest, in waitIn) (*mcp.CallToolResult, any, error) {
		select {
		case <-time.After(time.Duration(in.MS) * time.Millisecond):
		case <-ctx.Done():
		}
		return nil, nil, ctx.Err()
	})
	s := server.New(features, &server.Options{SSEPath: "/sse"})
	ln, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.Shutdown(ctx)
		<-done
	})
	return "http://" + ln.Addr().String(), features
}

// A session of an earlier revision at a real server: initialize, stream, calls that wait and are
// cancelled, a list that changes, DELETE.
func TestOwnServer(t *testing.T) {
	for _, kind := range []Kind{Streamable, SSE2024} {
		t.Run([]string{"Streamable HTTP", "HTTP+SSE"}[kind], func(t *testing.T) {
			base, features := startServer(t)
			path := []string{"/mcp", "/sse"}[kind]
			u, l, r := open(t, base+path, Options{}, OpenOptions{Kind: kind})
			send := func(id int64, method, params string) {
				l.Send(&link.Message{Kind: link.Request, ID: id, Method: method, Body: fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, id, method, params)})
			}
			want := func(on int64, part string) {
				t.Helper()
				if kind == SSE2024 {
					on = 0
				}
				if o := r.next(t); o.err != nil || o.on != on || !strings.Contains(o.msg, part) {
					t.Fatalf("got %v, want on %d: … %s …", o, on, part)
				}
			}
			send(1, "initialize", `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"a","version":"1"}}`)
			want(1, `"protocolVersion":"2025-11-25"`)
			if kind == Streamable {
				l.Negotiated("2025-11-25")
			}
			l.Send(note("notifications/initialized"))
			if kind == Streamable {
				states := make(chan link.StreamState, 1)
				l.Stream(func(s link.StreamState) { states <- s })
				if s := <-states; s != link.StreamOpen {
					t.Fatalf("stream: got %v", s)
				}
			}
			send(2, "tools/call", `{"name":"wait","arguments":{"ms":100}}`)
			send(3, "tools/list", `{}`)
			want(3, `"wait"`)
			want(2, `"id":2`)
			send(4, "tools/call", `{"name":"wait","arguments":{"ms":60000}}`)
			time.Sleep(20 * time.Millisecond)
			l.Send(&link.Message{Kind: link.Notification, Method: "notifications/cancelled", Body: []byte(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":4}}`)})
			l.Cancel(4)
			mcp.AddTool(features, &mcp.Tool{Name: "more"}, func(context.Context, *mcp.CallToolRequest, waitIn) (*mcp.CallToolResult, any, error) {
				return nil, nil, nil
			})
			want(0, `notifications/tools/list_changed`)
			until(t, "the cancelled call ends", func() bool { st := u.Stats(); return st.InFlight == 0 && st.Abandoned == 0 })
			l.Close()
			until(t, "the end", func() bool { st := u.Stats(); return st.Streams == 0 && st.Links == 0 && st.Queued == 0 })
			// The cancelled call may have been answered.
			if st := u.Stats(); st.HungUp != 0 || st.Strays > 1 || st.Dropped != 0 {
				t.Errorf("got %+v", st)
			}
			r.none(t, 10*time.Millisecond)
		})
	}
}

// The same server on 2026-07-28: header fields, a listen, a call that is cancelled.
func TestOwnServerModern(t *testing.T) {
	base, features := startServer(t)
	u, l, r := open(t, base+"/mcp", Options{}, OpenOptions{})
	l.Negotiated(modernVersion)
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`
	send := func(id int64, method, name, params string, endless bool) {
		l.Send(&link.Message{Kind: link.Request, ID: id, Method: method, Name: name, Endless: endless,
			Body: fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":%q,"params":{%s%s}}`, id, method, meta, params)})
	}
	want := func(on int64, part string) {
		t.Helper()
		if o := r.next(t); o.err != nil || o.on != on || !strings.Contains(o.msg, part) {
			t.Fatalf("got %v, want on %d: … %s …", o, on, part)
		}
	}
	send(1, "server/discover", "", "", false)
	want(1, `"supportedVersions"`)
	send(2, "tools/call", "wait", `,"name":"wait","arguments":{"ms":1}`, false)
	want(2, `"resultType":"complete"`)
	send(3, "tools/call", "none", `,"name":"none"`, false)
	want(3, `-32602`) // with a status of 400
	send(4, "no/such", "", "", false)
	want(4, `-32601`) // with a status of 404
	send(5, "subscriptions/listen", "", `,"notifications":{"toolsListChanged":true}`, true)
	want(5, `notifications/subscriptions/acknowledged`)
	mcp.AddTool(features, &mcp.Tool{Name: "more"}, func(context.Context, *mcp.CallToolRequest, waitIn) (*mcp.CallToolResult, any, error) {
		return nil, nil, nil
	})
	want(5, `notifications/tools/list_changed`)
	send(6, "tools/call", "wait", `,"name":"wait","arguments":{"ms":60000}`, false)
	until(t, "in flight", func() bool { return u.Stats().InFlight == 1 })
	time.Sleep(20 * time.Millisecond)
	l.Cancel(6)
	l.Cancel(5)
	until(t, "the end", func() bool { st := u.Stats(); return st.InFlight == 0 && st.Streams == 0 })
	if st := u.Stats(); st.HungUp != 2 || st.Strays != 0 {
		t.Errorf("got %+v", st)
	}
	l.Close()
	r.none(t, 10*time.Millisecond)
}
