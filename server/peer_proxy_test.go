package server

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
)

var (
	testProxy    = netip.MustParseAddrPort("10.0.0.1:7000")
	testStranger = netip.MustParseAddrPort("192.0.2.66:7000")
	testProxies  = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}
)

// newProxied returns a rig whose tool "where" returns the address of its client.
func newProxied(t testing.TB, o Options) *rig {
	t.Helper()
	r := newRig(t, &o)
	addWhere(r.ms)
	return r
}

func addWhere(ms *mcp.Server) {
	mcp.AddInlineTool(ms, &mcp.Tool{Name: "where"}, func(req *mcp.CallToolRequest, _ noIn) (map[string]string, error) {
		return map[string]string{"addr": req.Extra.RemoteAddr.String()}, nil
	})
}

// connectAs opens a connection whose network peer has the address.
func (r *rig) connectAs(addr netip.AddrPort) *fakePeer {
	p := &fakePeer{r: r, room: -1, addr: addr}
	p.c = newConn(r.l, endpoint.TrustRemote, false)
	r.s.admission.Reserve(false)
	p.c.open(p, r.l.present())
	r.peers = append(r.peers, p)
	return p
}

func (p *fakePeer) wantWhere(why, want string) {
	p.r.t.Helper()
	if res := p.wantResponse(why, 200); !strings.Contains(res.body, `"addr":"`+want+`"`) {
		p.r.t.Fatalf("%s: got %s, want the address %s", why, res.body, want)
	}
	p.r.wantInvariants(why)
}

var proxyHeads = []struct{ head, want string }{
	{"PROXY TCP4 198.51.100.7 203.0.113.1 4660 443\r\n", "198.51.100.7:4660"},
	{"PROXY TCP6 2001:db8::7 2001:db8::1 4660 443\r\n", "[2001:db8::7]:4660"},
	{"PROXY UNKNOWN\r\n", "10.0.0.1:7000"},
	{"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0f" + "\xc6\x33\x64\x07\xcb\x00\x71\x01\x12\x34\x01\xbb" + "\x04\x00\x00", "198.51.100.7:4660"},
	{"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00", "10.0.0.1:7000"},
}

// A header may be cut anywhere, and so may what follows. The address holds for the whole
// connection.
func TestProxyHeaderNamesTheClient(t *testing.T) {
	r := newProxied(t, Options{ProxyProtocol: testProxies})
	call := callTool("where", `{}`).String()
	for _, tt := range proxyHeads {
		all := tt.head + call
		for cut := range len(all) {
			p := r.connectAs(testProxy)
			p.send(all[:cut])
			p.wantNothing("the first part")
			p.wantOpen("the first part")
			p.send(all[cut:])
			p.wantWhere(tt.head, tt.want)
			p.send(call)
			p.wantWhere("the second request", tt.want)
			p.fin()
		}
		p := r.connectAs(testProxy)
		for i := range all {
			p.send(all[i : i+1])
		}
		p.wantWhere("byte by byte", tt.want)
		p.fin()
	}
	if n := len(r.l.peers); n != 0 {
		t.Errorf("%d peers are remembered without a connection", n)
	}
	// A connection that is not from a proxy is served as it is.
	p := r.connectAs(testStranger)
	p.send(call)
	p.wantWhere("a stranger", testStranger.String())
	p.send(proxyHeads[0].head + call)
	p.wantResponse("the header of a stranger", 400)
	if got := r.s.Stats().Refusals["proxy"]; got != 0 {
		t.Errorf("%d refused", got)
	}
}

// What does not begin with a header gets no answer, and neither does what comes too late.
func TestProxyHeaderIsRequired(t *testing.T) {
	r := newProxied(t, Options{ProxyProtocol: testProxies, HeadTimeout: 2 * time.Second})
	refused := uint64(0)
	wantRefused := func(why string, p *fakePeer) {
		t.Helper()
		p.wantNothing(why)
		p.wantClosed(why, closeProxy)
		if refused++; r.s.Stats().Refusals["proxy"] != refused {
			t.Errorf("%s: %d refused, want %d", why, r.s.Stats().Refusals["proxy"], refused)
		}
	}
	for _, bad := range []string{
		callTool("where", `{}`).String(), "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", "PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n", "PROXY UNKNOWN " + strings.Repeat("x", 200),
		"\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff", "\x16\x03\x01", "PROXY UDP4 ",
	} {
		p := r.connectAs(testProxy)
		p.send(bad)
		wantRefused(bad, p)
		p = r.connectAs(testProxy)
		for i := range bad {
			if p.send(bad[i : i+1]); p.closed {
				break
			}
		}
		wantRefused(bad+", byte by byte", p)
	}
	for _, part := range []string{"P", "PROXY TCP4 198.51.100.7 203.0.113.1 4660 443\r", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c1234"} {
		p := r.connectAs(testProxy)
		p.send(part)
		r.pass(time.Second)
		p.wantOpen(part)
		r.pass(1100 * time.Millisecond)
		wantRefused(part, p)
	}
	// Without a byte, it is a connection like any other that sends none.
	p := r.connectAs(testProxy)
	r.pass(2100 * time.Millisecond)
	p.wantNothing("silence")
	p.wantClosed("silence", closeIdleTimeout)
	// After the header, the head of the request has its own time, and its client an answer.
	p = r.connectAs(testProxy)
	p.send(proxyHeads[0].head)
	if !p.c.has(flagSilent) || p.c.state != connStateIdle {
		t.Errorf("after the header: %v, silent %t", p.c.state, p.c.has(flagSilent))
	}
	r.pass(1900 * time.Millisecond)
	p.wantOpen("after the header")
	p.send("POST ")
	r.pass(2100 * time.Millisecond)
	p.wantResponse("half a head", 408)
}

// The header comes once: a second one is the request of a client that speaks no HTTP.
func TestProxyHeaderComesOnce(t *testing.T) {
	r := newProxied(t, Options{ProxyProtocol: testProxies})
	p := r.connectAs(testProxy)
	p.send(proxyHeads[0].head + proxyHeads[1].head + callTool("where", `{}`).String())
	p.wantResponse("a second header", 400)
}

// Options.Context and handlers see the same address.
func TestProxyHeaderIsInTheHead(t *testing.T) {
	var seen netip.AddrPort
	r := newProxied(t, Options{ProxyProtocol: testProxies, Context: func(ctx context.Context, h *RequestHead) context.Context {
		seen = h.RemoteAddr
		return ctx
	}})
	p := r.connectAs(testProxy)
	p.send(proxyHeads[0].head + callTool("echo", `{"text":"x"}`).String())
	r.await("the call", func() bool { return len(p.got) > 0 })
	p.wantResponse("the call", 200)
	if seen.String() != proxyHeads[0].want {
		t.Errorf("Options.Context got %v", seen)
	}
}

// Without an option that needs them, no peer is looked up or remembered.
func TestPeersCostNothingByDefault(t *testing.T) {
	r := newRig(t, nil)
	if p := r.connectAs(testProxy); p.c.loop.peers != nil {
		t.Error("there is a table of peers")
	}
}
