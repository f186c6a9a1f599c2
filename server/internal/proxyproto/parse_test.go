package proxyproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// v2 returns a header of version 2.
func v2(cmd, family byte, body string) string {
	b := append([]byte(prefixV2), cmd, family)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	return string(b) + body
}

const (
	body4 = "\xc0\x00\x02\x01" + "\xc6\x33\x64\x01" + "\x12\x34" + "\x01\xbb"
	body6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02" + "\x12\x34" + "\x01\xbb"
	tlv = "\x04\x00\x03abc"
)

var good = []struct{ name, head, want string }{
	{"TCP4", "PROXY TCP4 192.0.2.1 198.51.100.1 4660 443\r\n", "192.0.2.1:4660"},
	{"TCP6", "PROXY TCP6 2001:db8::1 2001:db8::2 4660 443\r\n", "[2001:db8::1]:4660"},
	{"TCP6 that is IPv4", "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.1 4660 443\r\n", "192.0.2.1:4660"},
	{"port 0", "PROXY TCP4 192.0.2.1 198.51.100.1 0 0\r\n", "192.0.2.1:0"},
	{"UNKNOWN", "PROXY UNKNOWN\r\n", ""},
	{"UNKNOWN with addresses", "PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", ""},
	{"the longest", "PROXY UNKNOWN " + strings.Repeat("f", MaxV1-len("PROXY UNKNOWN \r\n")) + "\r\n", ""},
	{"2, TCP4", v2(cmdProxy, famTCP4, body4), "192.0.2.1:4660"},
	{"2, TCP4 with a TLV", v2(cmdProxy, famTCP4, body4+tlv), "192.0.2.1:4660"},
	{"2, TCP6", v2(cmdProxy, famTCP6, body6), "[2001:db8::1]:4660"},
	{"2, TCP6 with a TLV", v2(cmdProxy, famTCP6, body6+tlv), "[2001:db8::1]:4660"},
	{"2, unspecified", v2(cmdProxy, famUnspec, ""), ""},
	{"2, unix", v2(cmdProxy, famUnix, strings.Repeat("\x00", lenUnix)), ""},
	{"2, LOCAL", v2(cmdLocal, famUnspec, ""), ""},
	{"2, LOCAL with addresses", v2(cmdLocal, famTCP4, body4), ""},
	{"2, LOCAL of any family", v2(cmdLocal, 0xff, "x"), ""},
	{"2, the longest", v2(cmdProxy, famTCP4, body4+strings.Repeat("x", MaxV2-fixedPart-lenTCP4)), "192.0.2.1:4660"},
}

// A header is incomplete wherever it is cut, and what follows it is left alone.
func TestParse(t *testing.T) {
	for _, tt := range good {
		want := netip.AddrPort{}
		if tt.want != "" {
			want = netip.MustParseAddrPort(tt.want)
		}
		for _, rest := range []string{"", "POST /mcp", "\r\n", "PROXY TCP4"} {
			got, n, err := Parse([]byte(tt.head + rest))
			if got != want || n != len(tt.head) || err != nil {
				t.Errorf("%s before %q: got %v, %d, %v, want %v, %d", tt.name, rest, got, n, err, want, len(tt.head))
			}
		}
		for cut := range len(tt.head) {
			_, n, err := Parse([]byte(tt.head[:cut]))
			if err != ErrIncomplete || n < 1 || cut+n > len(tt.head) {
				t.Errorf("%s, cut after %d of %d bytes: got %d missing, %v", tt.name, cut, len(tt.head), n, err)
			}
		}
	}
}

// A malformed header is refused, and as early as its first bad byte where at is given.
func TestParseMalformed(t *testing.T) {
	for _, tt := range []struct {
		name, head string
		at         int // the number of bytes after which it is certain; 0 means all of them
	}{
		{"a request", "POST /mcp HTTP/1.1\r\n", 2},
		{"GET", "GET / HTTP/1.1\r\n", 1},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00", 1},
		{"lower case", "proxy TCP4 192.0.2.1 198.51.100.1 1 2\r\n", 1},
		{"another protocol", "PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n", 8},
		{"two spaces", "PROXY  TCP4 192.0.2.1 198.51.100.1 1 2\r\n", 7},
		{"two spaces later", "PROXY TCP4 192.0.2.1  198.51.100.1 1 2\r\n", 0},
		{"a space at the end", "PROXY TCP4 192.0.2.1 198.51.100.1 1 2 \r\n", 0},
		{"a tab", "PROXY TCP4\t192.0.2.1 198.51.100.1 1 2\r\n", 11},
		{"LF alone", "PROXY TCP4 192.0.2.1 198.51.100.1 1 2\n", 0},
		{"CR alone", "PROXY TCP4 192.0.2.1 198.51.100.1 1 2\rX", 0},
		{"a NUL", "PROXY UNKNOWN\x00", 0},
		{"non-ASCII", "PROXY UNKNOWN \xff", 0},
		{"UNKNOWNX", "PROXY UNKNOWNX\r\n", 0},
		{"no ports", "PROXY TCP4 192.0.2.1 198.51.100.1\r\n", 0},
		{"too many parts", "PROXY TCP4 192.0.2.1 198.51.100.1 1 2 3\r\n", 0},
		{"IPv6 in TCP4", "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n", 0},
		{"IPv4 in TCP6", "PROXY TCP6 192.0.2.1 198.51.100.1 1 2\r\n", 0},
		{"a bad destination", "PROXY TCP4 192.0.2.1 198.51.100.256 1 2\r\n", 0},
		{"leading zeros", "PROXY TCP4 192.0.02.1 198.51.100.1 1 2\r\n", 0},
		{"three parts of an address", "PROXY TCP4 192.0.2 198.51.100.1 1 2\r\n", 0},
		{"a zone", "PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n", 0},
		{"a host", "PROXY TCP4 localhost 198.51.100.1 1 2\r\n", 0},
		{"a port too high", "PROXY TCP4 192.0.2.1 198.51.100.1 65536 2\r\n", 0},
		{"a port with zeros", "PROXY TCP4 192.0.2.1 198.51.100.1 01 2\r\n", 0},
		{"a port with a sign", "PROXY TCP4 192.0.2.1 198.51.100.1 +1 2\r\n", 0},
		{"a bad other port", "PROXY TCP4 192.0.2.1 198.51.100.1 1 -2\r\n", 0},
		{"no port", "PROXY TCP4 192.0.2.1 198.51.100.1  2\r\n", 0},
		{"a byte too long", "PROXY UNKNOWN " + strings.Repeat("f", MaxV1+1-len("PROXY UNKNOWN \r\n")) + "\r\n", MaxV1 - 1},
		{"endless", "PROXY UNKNOWN " + strings.Repeat("f", 1000), MaxV1 - 1},
		{"2, another signature", "\r\n\r\n\x00\r\nQUIT\r", 12},
		{"2, version 1", v2(0x11, famTCP4, body4), 13},
		{"2, version 3", v2(0x31, famTCP4, body4), 13},
		{"2, another command", v2(0x22, famTCP4, body4), 13},
		{"2, UDP4", v2(cmdProxy, 0x12, body4), fixedPart},
		{"2, another family", v2(cmdProxy, 0x41, body4), fixedPart},
		{"2, TCP4 too short", v2(cmdProxy, famTCP4, body4[1:]), fixedPart},
		{"2, TCP6 too short", v2(cmdProxy, famTCP6, body6[1:]), fixedPart},
		{"2, unix too short", v2(cmdProxy, famUnix, body6), fixedPart},
		{"2, a byte too long", v2(cmdProxy, famTCP4, strings.Repeat("x", MaxV2+1-fixedPart)), fixedPart},
		{"2, LOCAL too long", v2(cmdLocal, 0, strings.Repeat("x", 0xffff)), fixedPart},
	} {
		if _, n, err := Parse([]byte(tt.head)); err != ErrMalformed || n != 0 {
			t.Errorf("%s: got %d, %v", tt.name, n, err)
		}
		if tt.at > 0 {
			if _, _, err := Parse([]byte(tt.head[:tt.at])); err != ErrMalformed {
				t.Errorf("%s: got %v after %d bytes", tt.name, err, tt.at)
			}
			if _, _, err := Parse([]byte(tt.head[:tt.at-1])); err != ErrIncomplete {
				t.Errorf("%s: got %v after %d bytes, want ErrIncomplete", tt.name, err, tt.at-1)
			}
		}
	}
}

func TestParseDoesNotAllocateOnTheWay(t *testing.T) {
	head := []byte(v2(cmdProxy, famTCP4, body4))
	if n := testing.AllocsPerRun(100, func() { _, _, _ = Parse(head) }); n > 0 {
		t.Errorf("%v allocations for a header of version 2", n)
	}
}

func TestLists(t *testing.T) {
	list := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("fe80::/10")}
	for addr, want := range map[string]bool{
		"192.0.2.9": true, "::ffff:192.0.2.9": true, "192.0.3.9": false, "fe80::1%eth0": true, "2001:db8::1": false,
	} {
		if got := Lists(list, netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: got %t", addr, got)
		}
	}
	if Lists(list, netip.Addr{}) {
		t.Error("no address is listed")
	}
}

// FuzzParse checks that the result does not depend on what follows or on where the bytes are cut.
func FuzzParse(f *testing.F) {
	for _, tt := range good {
		f.Add([]byte(tt.head))
	}
	f.Add([]byte("PROXY TCP4 192.0.2.1 198.51.100.1 1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, n, err := Parse(b)
		switch {
		case err == nil:
			if n < shortest || n > len(b) || n > MaxV2 {
				t.Fatalf("a header of %d bytes", n)
			}
			if again, m, err := Parse(b[:n]); again != got || m != n || err != nil {
				t.Fatalf("alone: %v, %d, %v", again, m, err)
			}
			for cut := range n {
				if _, _, err := Parse(b[:cut]); err != ErrIncomplete {
					t.Fatalf("cut at %d: %v", cut, err)
				}
			}
		case errors.Is(err, ErrIncomplete):
			if n < 1 || len(b)+n > MaxV2 {
				t.Fatalf("%d bytes are missing after %d", n, len(b))
			}
		default:
			if _, _, err := Parse(append(bytes.Clone(b), "\r\n\r\n"...)); err != ErrMalformed {
				t.Fatalf("longer: %v", err)
			}
		}
	})
}
