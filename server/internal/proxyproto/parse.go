// Package proxyproto reads the header with which a proxy begins a connection, to name the client
// for which it has opened it: the PROXY protocol, versions 1 and 2
// (https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt). Only connections of known proxies
// may be read in this way, because anybody can write such a header.
package proxyproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"strconv"
)

// ErrIncomplete means that the header has not arrived completely. What has arrived is well-formed.
var ErrIncomplete = errors.New("proxyproto: the header is not complete")

// ErrMalformed means that a connection does not begin with a header, or with one that is too long.
var ErrMalformed = errors.New("proxyproto: the connection does not begin with a valid header")

const (
	// MaxV1 is the maximum length of a header of version 1, its CRLF included: "a 108-byte buffer is
	// always enough to store all the line and a trailing zero" (section 2.1).
	MaxV1 = 107
	// MaxV2 is the maximum length of a header of version 2 that Parse accepts. The protocol allows
	// 64 KiB, but the fields that follow the addresses (TLVs) are skipped, and those in use take some
	// hundred bytes.
	MaxV2 = 4 << 10
)

const (
	prefixV1  = "PROXY "
	prefixV2  = "\r\n\r\n\x00\r\nQUIT\n"
	unknown   = "PROXY UNKNOWN"
	shortest  = len(unknown + "\r\n") // no header is shorter
	fixedPart = 16                    // the bytes of version 2 in front of the addresses
)

// The second half of the byte that has version and command, and what the next byte can be.
const (
	cmdLocal = 0x20
	cmdProxy = 0x21

	famUnspec = 0x00
	famTCP4   = 0x11
	famTCP6   = 0x21
	famUnix   = 0x31
)

// The lengths of the addresses, by family: two addresses and two ports.
const (
	lenTCP4 = 4 + 4 + 2 + 2
	lenTCP6 = 16 + 16 + 2 + 2
	lenUnix = 108 + 108
)

// Parse reads the header at the beginning of b. It returns the address of the client and the length
// of the header. The address is zero if the header names none, as that of a health check by the
// proxy (LOCAL, UNKNOWN): the peer is then the client.
//
// With ErrIncomplete, n is a number of bytes that are missing at least. Any other error is
// ErrMalformed, and it is returned as soon as it is certain, whatever follows.
func Parse(b []byte) (client netip.AddrPort, n int, err error) {
	if len(b) == 0 {
		return client, shortest, ErrIncomplete
	}
	if b[0] == prefixV1[0] {
		return parseV1(b)
	}
	return parseV2(b)
}

// begins reports whether b begins with prefix, as far as it goes.
func begins(b []byte, prefix string) bool {
	k := min(len(b), len(prefix))
	return string(b[:k]) == prefix[:k]
}

// parseV1 reads a header of version 1 (section 2.1).
func parseV1(b []byte) (client netip.AddrPort, n int, err error) {
	if !begins(b, prefixV1+"TCP4 ") && !begins(b, prefixV1+"TCP6 ") && !begins(b, unknown) {
		return client, 0, ErrMalformed
	}
	line := b[:min(len(b), MaxV1)]
	end := slices.IndexFunc(line, func(c byte) bool { return c < ' ' || c >= 0x7f })
	switch {
	case end < 0 && len(line) >= MaxV1-1:
		return client, 0, ErrMalformed
	case end < 0:
		return client, max(2, shortest-len(b)), ErrIncomplete
	case line[end] != '\r' || end == MaxV1-1:
		return client, 0, ErrMalformed
	case end+1 == len(b):
		return client, 1, ErrIncomplete
	case line[end+1] != '\n':
		return client, 0, ErrMalformed
	}
	line, n = line[:end], end+2
	if rest, ok := bytes.CutPrefix(line, []byte(unknown)); ok {
		// "the receiver must ignore anything presented before the CRLF is found"
		if len(rest) > 0 && rest[0] != ' ' {
			return client, 0, ErrMalformed
		}
		return client, n, nil
	}
	parts := bytes.Split(line, []byte{' '})
	if len(parts) != 6 {
		return client, 0, ErrMalformed
	}
	is4 := string(parts[1]) == "TCP4"
	src, ok := addr(parts[2], is4)
	_, ok2 := addr(parts[3], is4)
	port, ok3 := portOf(parts[4])
	_, ok4 := portOf(parts[5])
	if !ok || !ok2 || !ok3 || !ok4 {
		return client, 0, ErrMalformed
	}
	return netip.AddrPortFrom(src.Unmap(), port), n, nil
}

// addr reads an address of version 1.
func addr(b []byte, is4 bool) (a netip.Addr, ok bool) {
	a, err := netip.ParseAddr(string(b))
	return a, err == nil && a.Is4() == is4 && a.Zone() == ""
}

// portOf reads a port of version 1, "in the range [0..65535]" and without leading zeros.
func portOf(b []byte) (port uint16, ok bool) {
	n, err := strconv.ParseUint(string(b), 10, 16)
	return uint16(n), err == nil && strconv.FormatUint(n, 10) == string(b)
}

// parseV2 reads a header of version 2 (section 2.2).
func parseV2(b []byte) (client netip.AddrPort, n int, err error) {
	if !begins(b, prefixV2) {
		return client, 0, ErrMalformed
	}
	if len(b) > len(prefixV2) {
		if c := b[len(prefixV2)]; c != cmdLocal && c != cmdProxy {
			return client, 0, ErrMalformed
		}
	}
	if len(b) < fixedPart {
		return client, fixedPart - len(b), ErrIncomplete
	}
	local, family := b[12] == cmdLocal, b[13]
	length := int(binary.BigEndian.Uint16(b[14:]))
	if n = fixedPart + length; n > MaxV2 || !local && !fits(family, length) {
		return client, 0, ErrMalformed
	}
	if len(b) < n {
		return client, n - len(b), ErrIncomplete
	}
	switch a := b[fixedPart:n]; {
	case local:
		// "the receiver must accept this connection as valid and must use the real connection
		// endpoints and discard the protocol block including the family which is ignored"
	case family == famTCP4:
		src := netip.AddrFrom4([4]byte(a[:4]))
		client = netip.AddrPortFrom(src, binary.BigEndian.Uint16(a[8:]))
	case family == famTCP6:
		src := netip.AddrFrom16([16]byte(a[:16]))
		client = netip.AddrPortFrom(src.Unmap(), binary.BigEndian.Uint16(a[32:]))
	}
	return client, n, nil
}

// fits reports whether the addresses of a family of clients that may be proxied over a stream fit
// in length bytes.
func fits(family byte, length int) bool {
	switch family {
	case famUnspec:
		return true
	case famTCP4:
		return length >= lenTCP4
	case famTCP6:
		return length >= lenTCP6
	case famUnix:
		return length >= lenUnix
	}
	return false
}

// Lists reports whether a prefix of list has a.
func Lists(list []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
}
