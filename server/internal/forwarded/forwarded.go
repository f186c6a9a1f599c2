// Package forwarded reads what proxies say of the client for which they make a request: the fields
// X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host, which have no standard, and Forwarded
// (RFC 7239). Anybody can send these fields, so only what trusted proxies have written counts: each
// appends to what it got, so that is read from the end.
package forwarded

import (
	"bytes"
	"net/netip"
	"strings"
)

// A Claim is what the fields of one request say. The zero Claim is of a request without such
// fields.
type Claim struct {
	list      [][]byte // the lines of X-Forwarded-For, in order
	forwarded [][]byte // the lines of Forwarded, in order
	proto     []byte   // the last line of X-Forwarded-Proto
	host      []byte   // the last line of X-Forwarded-Host
}

// An Origin is where a request comes from.
type Origin struct {
	Client netip.AddrPort // the port is 0 if it is not known
	Proto  string         // "http" or "https"; "" if it is not known
	Host   string         // with the port, if the client has sent one; "" if it is not known
}

// The names of the fields.
const (
	fieldFor       = "X-Forwarded-For"
	fieldProto     = "X-Forwarded-Proto"
	fieldHost      = "X-Forwarded-Host"
	fieldForwarded = "Forwarded"
)

// Add adds a field line of the request. It ignores other fields. The Claim aliases value.
func (c *Claim) Add(name, value []byte) {
	if len(name) < len(fieldForwarded) || name[0]|0x20 != 'x' && name[0]|0x20 != 'f' {
		return
	}
	switch {
	case bytes.EqualFold(name, []byte(fieldFor)):
		c.list = append(c.list, value)
	case bytes.EqualFold(name, []byte(fieldForwarded)):
		c.forwarded = append(c.forwarded, value)
	case bytes.EqualFold(name, []byte(fieldProto)):
		c.proto = value
	case bytes.EqualFold(name, []byte(fieldHost)):
		c.host = value
	}
}

// Origin returns where a request comes from that the trusted proxy peer has sent. The client is the
// right-most address that trusted does not report. What stands in front of it may be invented, and
// so may be all of it if an address in between cannot be read: the client then is the proxy that
// has written that.
//
// A proxy that maintains one of X-Forwarded-For and Forwarded may pass the other on as the client
// has sent it. If a request has both and they differ, the client is peer.
func (c *Claim) Origin(peer netip.AddrPort, trusted func(netip.Addr) bool) Origin {
	o := Origin{Client: peer}
	var std Origin
	hasStd := len(c.forwarded) > 0
	if hasStd {
		std = c.standard(peer, trusted)
	}
	switch {
	case len(c.list) > 0:
		client := c.listed(peer, trusted)
		if hasStd && std.Client.Addr() != client.Addr() {
			return Origin{Client: peer}
		}
		o.Client = client
	case hasStd:
		o = std
	}
	if c.proto != nil {
		o.Proto = protoOf(lastOf(c.proto))
	}
	if c.host != nil {
		o.Host = hostOf(lastOf(c.host))
	}
	return o
}

// listed returns the client by X-Forwarded-For.
func (c *Claim) listed(at netip.AddrPort, trusted func(netip.Addr) bool) netip.AddrPort {
	for i := len(c.list) - 1; i >= 0; i-- {
		for rest, more := c.list[i], true; more; {
			var last []byte
			rest, last, more = cutLast(rest)
			if last = trim(last); len(last) == 0 {
				continue // "a recipient MUST parse and ignore a reasonable number of empty list elements"
			}
			next, ok := node(string(last))
			if !ok {
				return at
			}
			if at = next; !trusted(at.Addr()) {
				return at
			}
		}
	}
	return at
}

// standard returns the origin by Forwarded.
func (c *Claim) standard(peer netip.AddrPort, trusted func(netip.Addr) bool) Origin {
	o := Origin{Client: peer}
	for i := len(c.forwarded) - 1; i >= 0; i-- {
		elements, ok := parse(string(c.forwarded[i]))
		if !ok {
			return o
		}
		for k := len(elements) - 1; k >= 0; k-- {
			e := &elements[k]
			o.Proto, o.Host = protoOf([]byte(e.proto)), hostOf([]byte(e.host))
			next, ok := node(e.client)
			if !ok {
				return o
			}
			if o.Client = next; !trusted(next.Addr()) {
				return o
			}
		}
	}
	return o
}

// An element is what one proxy has written in Forwarded.
type element struct{ client, proto, host string }

// parse parses a line of Forwarded:
//
//	Forwarded         = 1#forwarded-element
//	forwarded-element = [ forwarded-pair ] *( ";" [ forwarded-pair ] )
//	forwarded-pair    = token "=" value
//	value             = token / quoted-string
//
// (RFC 7239 section 4). ok is false if any of it is malformed.
func parse(s string) (list []element, ok bool) {
	var e element
	var seen uint8
	any := false
	for {
		s = strings.TrimLeft(s, " \t")
		if s == "" {
			if any {
				list = append(list, e)
			}
			return list, true
		}
		switch s[0] {
		case ',':
			if any {
				list = append(list, e)
			}
			e, seen, any, s = element{}, 0, false, s[1:]
			continue
		case ';':
			s = s[1:]
			continue
		}
		name, value, rest, ok := pair(s)
		if !ok {
			return nil, false
		}
		s, any = rest, true
		// "Each parameter MUST NOT occur more than once per field-value."
		var bit uint8
		switch strings.ToLower(name) {
		case "for":
			bit, e.client = 1, value
		case "proto":
			bit, e.proto = 2, value
		case "host":
			bit, e.host = 4, value
		case "by":
			bit = 8
		}
		if seen&bit != 0 {
			return nil, false
		}
		seen |= bit
	}
}

// pair parses the pair at the beginning of s, and what separates it from the next.
func pair(s string) (name, value, rest string, ok bool) {
	n := token(s)
	if n == 0 || n == len(s) || s[n] != '=' {
		return "", "", "", false
	}
	name, s = s[:n], s[n+1:]
	if strings.HasPrefix(s, `"`) {
		if value, s, ok = quoted(s[1:]); !ok {
			return "", "", "", false
		}
	} else {
		if n = token(s); n == 0 {
			return "", "", "", false
		}
		value, s = s[:n], s[n:]
	}
	s = strings.TrimLeft(s, " \t")
	return name, value, s, s == "" || s[0] == ',' || s[0] == ';'
}

// token returns the length of the token at the beginning of s (RFC 9110 section 5.6.2).
func token(s string) int {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return i
		}
	}
	return len(s)
}

// quoted parses a quoted-string after its first quote.
func quoted(s string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:], true
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case c < ' ' && c != '\t' || c == 0x7f || c == '\\':
			return "", "", false
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// node parses an address with or without a port: 192.0.2.1, 192.0.2.1:80, [2001:db8::1],
// [2001:db8::1]:80 and, as X-Forwarded-For has it, 2001:db8::1. It reports false for anything else,
// such as "unknown" and obfuscated identifiers (RFC 7239 section 6).
func node(s string) (a netip.AddrPort, ok bool) {
	if len(s) > len("[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535") {
		return a, false
	}
	if inner, found := strings.CutPrefix(s, "["); found && strings.HasSuffix(inner, "]") {
		addr, err := netip.ParseAddr(inner[:len(inner)-1])
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return a, false
		}
		return netip.AddrPortFrom(addr.Unmap(), 0), true
	}
	if addr, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(addr.Unmap(), 0), addr.Zone() == ""
	}
	full, err := netip.ParseAddrPort(s)
	if err != nil || full.Addr().Zone() != "" {
		return a, false
	}
	return netip.AddrPortFrom(full.Addr().Unmap(), full.Port()), true
}

// protoOf returns the scheme in b, or "" if it is neither http nor https.
func protoOf(b []byte) string {
	switch {
	case bytes.EqualFold(b, []byte("https")):
		return "https"
	case bytes.EqualFold(b, []byte("http")):
		return "http"
	}
	return ""
}

// maxHost is the length up to which a host is accepted: that of a name, and a port.
const maxHost = 255 + len(":65535")

// hostOf returns the host in b, or "" if it cannot be that of a URL.
func hostOf(b []byte) string {
	if len(b) > maxHost {
		return ""
	}
	for _, c := range b {
		if !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-._~[]:", c) >= 0) {
			return ""
		}
	}
	return string(b)
}

// lastOf returns the last element of a list.
func lastOf(b []byte) []byte {
	_, last, _ := cutLast(b)
	return trim(last)
}

// cutLast cuts a list before its last element.
func cutLast(b []byte) (rest, last []byte, more bool) {
	i := bytes.LastIndexByte(b, ',')
	if i < 0 {
		return nil, b, false
	}
	return b[:i], b[i+1:], true
}

func trim(b []byte) []byte { return bytes.Trim(b, " \t") }
