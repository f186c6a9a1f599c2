package server

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/server/internal/quota"
)

// Connections of a trusted proxy have no limit, and what they carry counts for the addresses that
// it names.
func TestQuotaBehindTrustedProxy(t *testing.T) {
	r := newQuotaPort(t, Options{
		TrustedProxies: testProxies,
		PerAddress:     &ClientLimits{Connections: 1, Streams: 1, Calls: 1, CallRate: 0.01, CallBurst: 2},
		PerPrincipal:   &ClientLimits{Connections: 9, Streams: 2},
	})
	proxy := func(token string) quotaClient { return quotaClient{token, testProxy.Addr().String()} }
	from := func(addr, text string) string {
		return strings.Replace(text, "Host: localhost\r\n", "Host: localhost\r\nX-Forwarded-For: "+addr+"\r\n", 1)
	}
	listen, add := listenTo("1", everything).String(), addCall(1, 2).String()
	first := r.ask(proxy("good1"), from("192.0.2.1", listen))
	first.wantResponse("a stream", 200)
	r.ask(proxy("good1"), from("192.0.2.1", listen)).wantExcess("a second stream of the address", "address_streams", 0)
	second := r.ask(proxy("good1"), from("192.0.2.2", listen))
	second.wantResponse("a stream of another address", 200)
	r.ask(proxy("good1"), from("192.0.2.3", listen)).wantExcess("a third stream of the principal", "principal_streams", 0)
	for range 2 {
		r.ask(proxy(""), from("192.0.2.1", add)).wantResponse("a call", 200)
	}
	r.ask(proxy(""), from("192.0.2.1", add)).wantExcess("a call too many", "address_call_rate", 0)
	r.ask(proxy(""), from("192.0.2.2", add)).wantResponse("a call from another address", 200)
	stranger := quotaClient{"", testStranger.Addr().String()}
	r.ask(stranger, from("192.0.2.1", add)).wantResponse("somebody who only says that it is a proxy", 200)
	for slot, a := range r.loops[0].places.apart {
		if a[byAddress] == r.loops[0].places.addr[slot] {
			t.Errorf("slot %d: %v is nothing apart", slot, a)
		}
	}
	first.fin()
	second.fin()
	for _, table := range r.s.quotas.tables {
		if n := table.Total(quota.Streams); n != 0 {
			t.Errorf("%d streams are left", n)
		}
	}
	for _, p := range r.peers {
		if !p.closed {
			p.fin()
		}
	}
	r.wantNoQuotas("all have disconnected")
}

// A connection behind a PROXY header counts once the header has arrived, for the address in it. One
// that is too many gets 429, and what follows the header is not looked at.
func TestQuotaBehindProxyHeader(t *testing.T) {
	r := newQuotaPort(t, Options{ProxyProtocol: testProxies, PerAddress: &ClientLimits{Connections: 1}})
	proxy := quotaClient{"", testProxy.Addr().String()}
	const ann, bob = "PROXY TCP4 198.51.100.7 203.0.113.1 4660 443\r\n", "PROXY TCP4 198.51.100.8 203.0.113.1 4660 443\r\n"
	waiting := r.dialAs(proxy, 0)
	waiting.send(ann[:20])
	r.ask(proxy, ann+addCall(1, 2).String()).wantResponse("the first", 200)
	waiting.send(ann[20:])
	waiting.wantExcess("the header has arrived", "address_connections", 0)
	r.ask(proxy, ann+addCall(1, 2).String()).wantExcess("with a request", "address_connections", 1)
	r.ask(proxy, bob+addCall(1, 2).String()).wantResponse("another address", 200)
	r.wait(5 * lingerTime)
	for _, p := range r.peers {
		if !p.closed {
			p.fin()
		}
	}
	if n := r.s.Stats().Closes[closeQuota.String()]; n != 2 {
		t.Errorf("%d connections were closed for the limit", n)
	}
	r.wantNoQuotas("all have disconnected")
}

// IPv6 addresses count by their network, and IPv4 addresses are the same in both forms. No two of
// these have one key.
func TestAddressKey(t *testing.T) {
	r := newRig(t, &Options{PerAddress: &ClientLimits{Connections: 1}})
	key := func(a string) uint64 { return r.s.quotas.addressKey(netip.MustParseAddr(a)) }
	if key("2001:db8:1:2::1") != key("2001:db8:1:2:ffff::9") || key("192.0.2.1") != key("::ffff:192.0.2.1") {
		t.Error("one client has two keys")
	}
	seen := map[uint64]string{}
	for _, a := range []string{"192.0.2.1", "192.0.2.2", "0.0.0.0", "2001:db8:1:2::1", "2001:db8:1:3::1", "::1", "0:1:c000:201::", "fe80::1"} {
		k := key(a)
		if other, has := seen[k]; has && a != "0:1:c000:201::" { // nobody has an address there
			t.Errorf("%s has the key of %s", a, other)
		}
		if seen[k] = a; k == 0 {
			t.Errorf("%s has no key", a)
		}
	}
	if r.s.quotas.addressKey(netip.Addr{}) != 0 {
		t.Error("no address has a key")
	}
}
