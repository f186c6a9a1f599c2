package forwarded

import (
	"net/netip"
	"strings"
	"testing"
)

var (
	peer    = netip.MustParseAddrPort("10.0.0.1:7000")
	proxies = netip.MustParsePrefix("10.0.0.0/24")
)

func trusted(a netip.Addr) bool {
	return proxies.Contains(a) || a == netip.MustParseAddr("2001:db8:f::1")
}

// claim returns the Claim of a head.
func claim(head string) *Claim {
	c := new(Claim)
	for line := range strings.Lines(head) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		c.Add([]byte(name), []byte(value))
	}
	return c
}

func TestOrigin(t *testing.T) {
	const self = "10.0.0.1:7000"
	for _, tt := range []struct{ name, head, client, proto, host string }{
		{"nothing", "Host: x", self, "", ""},
		{"one", "X-Forwarded-For: 192.0.2.1", "192.0.2.1:0", "", ""},
		{"with a port", "X-Forwarded-For: 192.0.2.1:99", "192.0.2.1:99", "", ""},
		{"IPv6", "x-forwarded-for: 2001:db8::1", "[2001:db8::1]:0", "", ""},
		{"IPv6 in brackets", "X-Forwarded-For: [2001:db8::1]", "[2001:db8::1]:0", "", ""},
		{"IPv6 with a port", "X-Forwarded-For: [2001:db8::1]:99", "[2001:db8::1]:99", "", ""},
		{"IPv4 as IPv6", "X-Forwarded-For: ::ffff:192.0.2.1", "192.0.2.1:0", "", ""},
		{"what a client invents", "X-Forwarded-For: 203.0.113.9, 192.0.2.1", "192.0.2.1:0", "", ""},
		{"behind two proxies", "X-Forwarded-For: 203.0.113.9, 192.0.2.1, 10.0.0.2", "192.0.2.1:0", "", ""},
		{"behind proxies of both families", "X-Forwarded-For: 192.0.2.1, 2001:db8:f::1,10.0.0.3", "192.0.2.1:0", "", ""},
		{"a proxy as the client", "X-Forwarded-For: 10.0.0.3, 10.0.0.2", "10.0.0.3:0", "", ""},
		{"two lines", "X-Forwarded-For: 203.0.113.9\nX-Forwarded-For: 192.0.2.1, 10.0.0.2", "192.0.2.1:0", "", ""},
		{"a line of proxies", "X-Forwarded-For: 192.0.2.1\nX-Forwarded-For: 10.0.0.2", "192.0.2.1:0", "", ""},
		{"empty elements", "X-Forwarded-For: 192.0.2.1, ,, 10.0.0.2, ", "192.0.2.1:0", "", ""},
		{"empty", "X-Forwarded-For: ", self, "", ""},
		{"a name", "X-Forwarded-For: localhost", self, "", ""},
		{"unknown", "X-Forwarded-For: 192.0.2.1, unknown", self, "", ""},
		{"unknown in front of a proxy", "X-Forwarded-For: 192.0.2.1, unknown, 10.0.0.2", "10.0.0.2:0", "", ""},
		{"unknown in front of the client", "X-Forwarded-For: unknown, 192.0.2.1", "192.0.2.1:0", "", ""},
		{"a zone", "X-Forwarded-For: fe80::1%eth0", self, "", ""},
		{"a zone and a port", "X-Forwarded-For: [fe80::1%eth0]:1", self, "", ""},
		{"IPv4 in brackets", "X-Forwarded-For: [192.0.2.1]", self, "", ""},
		{"leading zeros", "X-Forwarded-For: 192.0.02.1", self, "", ""},
		{"a port too high", "X-Forwarded-For: 192.0.2.1:65536", self, "", ""},
		{"a URL", "X-Forwarded-For: http://192.0.2.1", self, "", ""},
		{"quotes", `X-Forwarded-For: "192.0.2.1"`, self, "", ""},
		{"a NUL", "X-Forwarded-For: 192.0.2.1\x00", self, "", ""},
		{"very long", "X-Forwarded-For: " + strings.Repeat("1", 60_000), self, "", ""},
		{"very many", "X-Forwarded-For: " + strings.Repeat("10.0.0.2,", 6_000), "10.0.0.2:0", "", ""},

		{"proto and host", "X-Forwarded-Proto: HTTPS\nX-Forwarded-Host: A.example:8443", self, "https", "A.example:8443"},
		{"the last of a list", "X-Forwarded-Proto: https, http\nX-Forwarded-Host: evil.example, a.example", self, "http", "a.example"},
		{"no proto", "X-Forwarded-Proto: javascript\nX-Forwarded-Host: a.example/x", self, "", ""},
		{"a host with a user", "X-Forwarded-Host: user@a.example", self, "", ""},
		{"a host that is too long", "X-Forwarded-Host: " + strings.Repeat("a", 300), self, "", ""},
		{"a host with a quote", `X-Forwarded-Host: a"b`, self, "", ""},

		// the examples of RFC 7239, sections 4 and 7.1
		{"4, obfuscated", `Forwarded: for="_gazonk"`, self, "", ""},
		{"4, case", `Forwarded: For="[2001:db8:cafe::17]:4711"`, "[2001:db8:cafe::17]:4711", "", ""},
		{"4, all", "Forwarded: for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60:0", "http", ""},
		{"4, two", "Forwarded: for=192.0.2.43, for=198.51.100.17", "198.51.100.17:0", "", ""},
		{"7.1", `Forwarded: for=192.0.2.43, for="[2001:db8:cafe::17]"`, "[2001:db8:cafe::17]:0", "", ""},
		{"7.1, in two lines", "Forwarded: for=192.0.2.43\nForwarded: for=198.51.100.17", "198.51.100.17:0", "", ""},

		{"the client's proto and host", `Forwarded: for=203.0.113.9;proto=http;host=evil.example, for=192.0.2.1;proto=https;host="a.example:8443", for=10.0.0.2;proto=http`,
			"192.0.2.1:0", "https", "a.example:8443"},
		{"an escaped quote", `Forwarded: for="192.0.2\.1"`, "192.0.2.1:0", "", ""},
		{"empty pairs", "Forwarded: ;for=192.0.2.1;;, ,", "192.0.2.1:0", "", ""},
		{"an unknown parameter", `Forwarded: secret="a,b;c=d";for=192.0.2.1`, "192.0.2.1:0", "", ""},
		{"no for", "Forwarded: proto=https", self, "https", ""},
		{"twice", "Forwarded: for=192.0.2.1;for=192.0.2.2", self, "", ""},
		{"an open quote in front of the proxy's", `Forwarded: for="203.0.113.9, for=192.0.2.1`, self, "", ""},
		{"an open quote in a line of its own", "Forwarded: for=\"203.0.113.9\nForwarded: for=192.0.2.1", "192.0.2.1:0", "", ""},
		{"unquoted IPv6", "Forwarded: for=[2001:db8::1]", self, "", ""},
		{"a space around =", "Forwarded: for = 192.0.2.1", self, "", ""},
		{"no value", "Forwarded: for=", self, "", ""},
		{"no name", "Forwarded: =192.0.2.1", self, "", ""},
		{"a backslash at the end", `Forwarded: for="\`, self, "", ""},
		{"junk after a quote", `Forwarded: for="192.0.2.1"x`, self, "", ""},

		{"both agree", "X-Forwarded-For: 192.0.2.1\nForwarded: for=192.0.2.1", "192.0.2.1:0", "", ""},
		{"both differ", "X-Forwarded-For: 192.0.2.1\nForwarded: for=192.0.2.2", self, "", ""},
		{"one is malformed", "X-Forwarded-For: 192.0.2.1\nForwarded: x", self, "", ""},
	} {
		want := Origin{netip.MustParseAddrPort(tt.client), tt.proto, tt.host}
		if got := claim(tt.head).Origin(peer, trusted); got != want {
			t.Errorf("%s: got %v, want %v", tt.name, got, want)
		}
	}
}

// FuzzOrigin checks that what stands in front of the entry of a trusted proxy never matters, unless
// it makes a line malformed: then the peer is the client. What is returned is fit for a log.
func FuzzOrigin(f *testing.F) {
	f.Add("203.0.113.9, unknown", `for="_x";proto=https`, "a.example", "https")
	f.Add(`for="`, `for="\`, "[::1]:8", "http, https")
	f.Add("10.0.0.2, 10.0.0.3", ",;,", "", "")
	f.Fuzz(func(t *testing.T, list, std, host, proto string) {
		want := netip.MustParseAddrPort("192.0.2.1:0")
		var c Claim
		c.Add([]byte("X-Forwarded-For"), []byte(list+",192.0.2.1"))
		c.Add([]byte("X-Forwarded-Host"), []byte(host))
		c.Add([]byte("X-Forwarded-Proto"), []byte(proto))
		o := c.Origin(peer, trusted)
		if o.Client != want {
			t.Fatalf("list: %v", o.Client)
		}
		if o.Proto != "" && o.Proto != "http" && o.Proto != "https" || len(o.Host) > maxHost || strings.ContainsAny(o.Host, "\r\n\x00\"<>/@ ") {
			t.Fatalf("%+v", o)
		}
		var s Claim
		s.Add([]byte("Forwarded"), []byte(std+",for=192.0.2.1"))
		if o := s.Origin(peer, trusted); o.Client != want && o.Client != peer {
			t.Fatalf("standard: %v", o.Client)
		}
		var lines Claim
		lines.Add([]byte("Forwarded"), []byte(std))
		lines.Add([]byte("Forwarded"), []byte("for=192.0.2.1"))
		if o := lines.Origin(peer, trusted); o.Client != want {
			t.Fatalf("lines: %v", o.Client)
		}
		var alone Claim
		alone.Add([]byte("X-Forwarded-For"), []byte(list))
		alone.Add([]byte("Forwarded"), []byte(std))
		if o := alone.Origin(peer, trusted); !o.Client.IsValid() || o.Client.Addr().Zone() != "" || o.Client.Addr().Is4In6() {
			t.Fatalf("alone: %v", o.Client)
		}
	})
}
