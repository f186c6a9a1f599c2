package server

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
)

type headKey struct{}

// A seenHead is what a handler saw of its request.
type seenHead struct {
	header http.Header
	peer   netip.AddrPort
	value  any // that Options.Context has put into the handler's context
}

// newHeadRig returns a rig whose tools "inline", "worker" and "asks" note in the result of seen
// what they see.
func newHeadRig(t *testing.T, opts *Options) (r *rig, seen func() *seenHead) {
	r = newSSERig(t, opts)
	var mu sync.Mutex
	var last *seenHead
	note := func(ctx context.Context, req *mcp.CallToolRequest) {
		mu.Lock()
		defer mu.Unlock()
		last = &seenHead{header: req.Extra.Header, peer: req.Extra.RemoteAddr}
		if ctx != nil {
			last.value = ctx.Value(headKey{})
		}
	}
	mcp.AddInlineTool(r.ms, &mcp.Tool{Name: "inline"}, func(req *mcp.CallToolRequest, _ noIn) (map[string]int, error) {
		note(nil, req)
		return nil, nil
	})
	mcp.AddTool(r.ms, &mcp.Tool{Name: "worker"}, func(ctx context.Context, req *mcp.CallToolRequest, _ noIn) (*mcp.CallToolResult, any, error) {
		note(ctx, req)
		return &mcp.CallToolResult{}, nil, ctx.Err()
	})
	r.awaitNotices()
	return r, func() *seenHead {
		mu.Lock()
		defer mu.Unlock()
		s := last
		last = nil
		return s
	}
}

const headFields = "X-Tenant: t1\r\nx-TENANT: t2\r\nAuthorization: Bearer secret\r\n"

var headPeer = netip.MustParseAddrPort("192.0.2.7:4711")

// Handlers get the header fields that the host has named, whatever way their request takes, and
// nothing by default.
func TestHandlerHeaders(t *testing.T) {
	tenant := []string{"t1", "t2"}
	withContext := func(ctx context.Context, head *RequestHead) context.Context {
		return context.WithValue(ctx, headKey{}, strings.Join([]string{
			head.Method, head.Path, fmt.Sprint(head.Header["X-Tenant"]), head.RemoteAddr.String(), head.ProtocolVersion, fmt.Sprint(head.SessionID != ""),
		}, " "))
	}
	for _, o := range []Options{
		{},
		{HandlerHeaders: []string{"x-tenant", "X-Absent"}},
		{HandlerHeaders: []string{" * "}},
		{HandlerHeaders: []string{"X-TENANT"}, Context: withContext},
		{Context: withContext},
	} {
		r, seen := newHeadRig(t, &o)
		all := len(o.HandlerHeaders) > 0 && strings.Contains(o.HandlerHeaders[0], "*")
		p := r.connect()
		p.addr = headPeer
		sse := r.openSSE()
		sse.initialize("2025-03-26", "")
		session := func(rev string) string {
			p.send(post("", "", initializeBody(rev)))
			return p.wantResponse("initialize", 200).head.Get("Mcp-Session-Id")
		}
		id := session("2025-03-26")
		legacy := func(tool string) string {
			return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":{}}}`, tool)
		}
		modern := func(tool string) request {
			q := callTool(tool, `{}`)
			q.head = headFields
			return q
		}
		over := func(tool, more string) string {
			return strings.Replace(ssePost(sse.where, legacy(tool)+more), "Content-Type", headFields+"Content-Type", 1)
		}
		fields := strings.Split(strings.TrimSpace(headFields), "\r\n")
		const batchOf = "[%s,%s]"
		for _, tt := range []struct {
			what, text string
			worker     bool
			want       string // what Context says
		}{
			{"inline", modern("inline").String(), false, ""},
			{"big inline", modern("inline").big().String(), false, ""},
			{"worker", modern("worker").String(), true, "POST /mcp [t1 t2] 192.0.2.7:4711 2026-07-28 false"},
			{"big worker", modern("worker").big().String(), true, "POST /mcp [t1 t2] 192.0.2.7:4711 2026-07-28 false"},
			{"session inline", post(id, "2025-03-26", legacy("inline"), fields...), false, ""},
			{"session worker", post(id, "", legacy("worker"), fields...), true, "POST /mcp [t1 t2] 192.0.2.7:4711  true"},
			{"batch inline", post(id, "2025-03-26", fmt.Sprintf(batchOf, legacy("worker"), legacy("inline")), fields...), false, ""},
			{"batch worker", post(id, "2025-03-26", fmt.Sprintf(batchOf, legacy("inline"), legacy("worker")), fields...), true, "POST /mcp [t1 t2] 192.0.2.7:4711 2025-03-26 true"},
			{"SSE inline", over("inline", ""), false, ""},
			{"SSE worker", over("worker", ""), true, "POST /sse/message [t1 t2] 192.0.2.7:4711  true"},
			{"SSE big worker", over("worker", strings.Repeat(" ", bigContent)), true, "POST /sse/message [t1 t2] 192.0.2.7:4711  true"},
		} {
			seen()
			p.send(tt.text)
			var got *seenHead
			r.await(tt.what, func() bool {
				if s := seen(); s != nil {
					got = s
				}
				return got != nil && p.c.state == connStateIdle && r.s.calls.Load() == 0
			})
			r.run()
			p.take()
			why := fmt.Sprintf("%s with %q", tt.what, o.HandlerHeaders)
			wantHeader, wantPeer := len(o.HandlerHeaders) > 0, headPeer
			if !wantHeader && o.Context == nil {
				wantPeer = netip.AddrPort{}
			}
			if fmt.Sprint(got.header["X-Tenant"]) != fmt.Sprint(tenant) && wantHeader || !wantHeader && got.header != nil || got.peer != wantPeer {
				t.Errorf("%s: handler sees %v, %v", why, got.header, got.peer)
			}
			if credentials := got.header.Get("Authorization") != ""; credentials != all || !all && len(got.header) > 1 {
				t.Errorf("%s: handler sees %v", why, got.header)
			}
			want := any(nil)
			if o.Context != nil && tt.worker {
				if want = tt.want; !wantHeader {
					want = strings.Replace(tt.want, "[t1 t2]", "[]", 1)
				}
			}
			if got.value != want {
				t.Errorf("%s: the handler's context says %q, want %q", why, got.value, want)
			}
		}
		p.fin()
		sse.fin()
		r.wantInvariants("at the end")
	}
}

// A Context that panics or ends its goroutine fails its call alone. Nil stands for the context
// that it was given, and a context that has ended ends the call.
func TestContextFails(t *testing.T) {
	var do func(context.Context) context.Context
	r, seen := newHeadRig(t, &Options{Context: func(ctx context.Context, _ *RequestHead) context.Context { return do(ctx) }})
	sse := r.openSSE()
	sse.initialize("2025-03-26", "")
	p := r.connect()
	p.send(post("", "", initializeBody("2025-03-26")))
	id := p.wantResponse("initialize", 200).head.Get("Mcp-Session-Id")
	const legacy = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"worker","arguments":{}}}`
	for name, tt := range map[string]struct {
		f    func(context.Context) context.Context
		want string
		log  bool
	}{
		"panic":  {func(context.Context) context.Context { panic("overboard") }, `"code":-32603`, true},
		"goexit": {func(context.Context) context.Context { runtime.Goexit(); return nil }, `"code":-32603`, true},
		"nil":    {func(context.Context) context.Context { return nil }, `"result"`, false},
		"ended": {func(ctx context.Context) context.Context {
			ctx, stop := context.WithCancel(ctx)
			stop()
			return ctx
		}, `context canceled`, false},
	} {
		do = tt.f
		before := strings.Count(r.log.String(), "Options.Context")
		for what, text := range map[string]string{
			"modern": callTool("worker", `{}`).String(), "big": callTool("worker", `{}`).big().String(),
			"session": post(id, "2025-03-26", legacy), "batch": post(id, "2025-03-26", "["+legacy+"]"),
		} {
			seen()
			p.send(text)
			r.await(what, func() bool { return len(p.got) > 0 && p.c.state == connStateIdle && r.s.calls.Load() == 0 })
			if got := p.take(); !strings.Contains(got, tt.want) {
				t.Errorf("%s, %s: %s, want %s", name, what, got, tt.want)
			}
			if called := seen() != nil; called == tt.log {
				t.Errorf("%s, %s: the handler was called: %t", name, what, called)
			}
			r.wantInvariants(name + ", " + what)
		}
		sse.post(name, legacy)
		sse.want(name, tt.want)
		r.await("the calls end", func() bool { return r.s.calls.Load() == 0 })
		r.run()
		if logged := strings.Count(r.log.String(), "Options.Context") - before; (logged > 0) != tt.log {
			t.Errorf("%s: logged %d times", name, logged)
		}
		if n := r.l.m.panics.Load(); n != 0 {
			t.Errorf("%s: %d panics of the server are counted", name, n)
		}
	}
	r.wantInvariants("at the end")
}

// The context is derived once for a call that asks its client and runs again.
func TestContextOfAParkedCall(t *testing.T) {
	calls := 0
	r := newPort(t, &Options{Context: func(ctx context.Context, _ *RequestHead) context.Context {
		calls++
		return context.WithValue(ctx, headKey{}, calls)
	}})
	mcp.AddTool(r.ms, &mcp.Tool{Name: "count"}, func(ctx context.Context, req *mcp.CallToolRequest, _ noIn) (*mcp.CallToolResult, any, error) {
		if len(req.Params.InputResponses) == 0 {
			return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"q": &mcp.ElicitParams{Message: "?"}}}, nil, nil
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprint("derived ", ctx.Value(headKey{}))}}}, nil, nil
	})
	s := r.initialize("2025-11-25")
	p := r.dial(0)
	p.send(s.message(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"count","arguments":{}}}`))
	r.await("the question", func() bool { return strings.Contains(string(p.got), "ask-") })
	_, ask, _ := strings.Cut(string(p.got), `"id":"ask-`)
	ask, _, _ = strings.Cut(ask, `"`)
	q := r.dial(1)
	q.send(s.message(`{"jsonrpc":"2.0","id":"ask-` + ask + `","result":{"action":"decline"}}`))
	r.await("the answer", func() bool { return strings.Contains(string(p.got), "derived 1") })
	r.callsEnd("the call")
	if calls != 1 {
		t.Errorf("Context was called %d times", calls)
	}
}

// What is off costs nothing: the tests of allocations hold that. A named field costs a map, its
// values and the strings.
func TestHandlerHeadersAllocations(t *testing.T) {
	if raceEnabled() {
		t.Skip("the race detector allocates")
	}
	l := newIdleLoop(t, &Options{HandlerHeaders: []string{"X-Tenant"}})
	s := l.connect()
	q := addCall(1, 2)
	in := []byte(q.String())
	wantAllocs(t, "a call without the field", 1, func() { s.deliver(in) })
	q.head = "X-Tenant: t\r\n"
	in = []byte(q.String())
	wantAllocs(t, "a call with the field", 5, func() { s.deliver(in) })
}
