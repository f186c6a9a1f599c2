package server

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

// Fields of a trusted proxy are believed, those of anybody else are not, with or without a PROXY
// header in front.
func TestTrustedProxies(t *testing.T) {
	front := netip.MustParsePrefix("203.0.113.0/24")
	r := newProxied(t, Options{ProxyProtocol: testProxies, TrustedProxies: []netip.Prefix{front}})
	proxy, stranger := netip.MustParseAddrPort("203.0.113.9:80"), testStranger
	for _, tt := range []struct {
		name   string
		peer   netip.AddrPort
		head   string
		fields string
		want   string
	}{
		{"X-Forwarded-For", proxy, "", "X-Forwarded-For: 1.1.1.1, 192.0.2.1", "192.0.2.1:0"},
		{"Forwarded", proxy, "", `Forwarded: for="192.0.2.1:99"`, "192.0.2.1:99"},
		{"no field", proxy, "", "X-Other: 192.0.2.1", "203.0.113.9:80"},
		{"garbage", proxy, "", "X-Forwarded-For: 192.0.2.1, nobody", "203.0.113.9:80"},
		{"spoofed", stranger, "", "X-Forwarded-For: 192.0.2.1", stranger.String()},
		{"spoofed, RFC 7239", stranger, "", "Forwarded: for=192.0.2.1", stranger.String()},
		{"spoofed as a proxy", stranger, "", "X-Forwarded-For: 192.0.2.1, 203.0.113.9", stranger.String()},
		{"a proxy of PROXY only", testProxy, "PROXY UNKNOWN\r\n", "X-Forwarded-For: 192.0.2.1", testProxy.String()},
		{"PROXY from a client", testProxy, "PROXY TCP4 192.0.2.66 10.0.0.1 7000 80\r\n", "X-Forwarded-For: 192.0.2.1", stranger.String()},
		{"PROXY from a trusted proxy", testProxy, "PROXY TCP4 203.0.113.9 10.0.0.1 7000 80\r\n", "X-Forwarded-For: 192.0.2.1", "192.0.2.1:0"},
	} {
		p := r.connectAs(tt.peer)
		p.send(tt.head + callTool("where", `{}`).with(tt.fields+"\r\n").String())
		p.wantWhere(tt.name, tt.want)
		p.send(callTool("where", `{}`).String())
		if res := p.wantResponse("without the field", 200); strings.Contains(res.body, `"192.0.2.1:`) {
			t.Errorf("%s: the address outlives its request: %s", tt.name, res.body)
		}
		p.fin()
	}
}

// On net/http, RemoteAddr of the request is the peer.
func TestTrustedProxiesOnNetHTTP(t *testing.T) {
	var seen []string
	s := newPort(t, &Options{
		TrustedProxies: testProxies,
		Context: func(ctx context.Context, h *RequestHead) context.Context {
			seen = append(seen, h.RemoteAddr.String(), h.ForwardedProto, h.ForwardedHost)
			return ctx
		},
	})
	for from, want := range map[string]string{
		"10.0.0.1:7000":   "192.0.2.1:0 https a.example",
		"192.0.2.66:7000": "192.0.2.66:7000  ",
	} {
		seen = nil
		q, err := http.ReadRequest(bufio.NewReader(strings.NewReader(callTool("echo", `{"text":"x"}`).with(
			"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a.example\r\n").String())))
		if err != nil {
			t.Fatal(err)
		}
		q.RemoteAddr = from
		w := httptest.NewRecorder()
		done := make(chan struct{})
		go func() { defer close(done); s.s.ServeHTTP(w, q) }()
		s.await("the request", func() bool {
			select {
			case <-done:
				return true
			default:
				return false
			}
		})
		if got := strings.Join(seen, " "); w.Code != 200 || got != want {
			t.Errorf("from %s: got %q, want %q: %d %s", from, got, want, w.Code, w.Body)
		}
	}
}

func TestPrefixesThatCannotMatch(t *testing.T) {
	for _, p := range []netip.Prefix{{}, netip.MustParsePrefix("::ffff:192.0.2.0/120")} {
		for _, o := range []Options{{ProxyProtocol: []netip.Prefix{p}}, {TrustedProxies: []netip.Prefix{p}}} {
			if err := o.Validate(); err == nil {
				t.Errorf("%v is accepted", p)
			}
		}
	}
}
