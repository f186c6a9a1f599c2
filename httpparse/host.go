package httpparse

import (
	"bytes"
	"encoding/binary"
)

// validAuthority reports whether a is a uri-host, optionally followed by a
// port, and whether it has a port.
//
//	RFC 9110, section 7.2: Host = uri-host [ ":" port ]
//	RFC 3986, section 3.2.2: host = IP-literal / IPv4address / reg-name
//	RFC 3986, section 3.2.3: port = *DIGIT
//
// It is stricter than the grammar. The host must not be empty, must not have a
// comma, because commas join lists of values, and must not be an IPvFuture. The
// port is at most 65535. User information is refused.
//
//	RFC 9110, section 4.2.4: "Before making use of an "http" or "https" URI
//	reference received from an untrusted source, a recipient SHOULD parse for
//	userinfo and treat its presence as an error".
func validAuthority(a []byte) (ok, hasPort bool) {
	var i int
	if len(a) > 0 && a[0] == '[' {
		end := bytes.IndexByte(a, ']')
		if end < 0 || !validIPv6(a[1:end]) {
			return false, false
		}
		i = end + 1
	} else {
		for len(a)-i >= 8 {
			if stop := notHostLike(binary.LittleEndian.Uint64(a[i:])); stop != 0 {
				i += firstOctet(stop)
				break
			}
			i += 8
		}
		for {
			for i < len(a) && octets[a[i]]&isRegName != 0 {
				i++
			}
			if len(a)-i < 3 || a[i] != '%' || octets[a[i+1]]&octets[a[i+2]]&isHex == 0 {
				break
			}
			i += 3
		}
		if i == 0 {
			return false, false
		}
	}
	if i == len(a) {
		return true, false
	}
	if a[i] != ':' {
		return false, false
	}
	port := 0
	for _, c := range a[i+1:] {
		if c -= '0'; c > 9 {
			return false, false
		}
		if port = port*10 + int(c); port > 65535 {
			return false, false
		}
	}
	return true, true
}

// validIPv6 reports whether a is an IPv6address of RFC 3986, section 3.2.2:
// eight groups of one to four HEXDIG, of which "::" replaces one or more once,
// and the last two may be an IPv4address. A zone (RFC 6874) is refused because it
// has no meaning on another host.
func validIPv6(a []byte) bool {
	groups, elided := 0, false
	if len(a) >= 2 && a[0] == ':' && a[1] == ':' {
		elided = true
		a = a[2:]
		if len(a) == 0 {
			return true
		}
	}
	for {
		n := 0
		for n < len(a) && octets[a[n]]&isHex != 0 {
			n++
		}
		if n < len(a) && a[n] == '.' {
			groups += 2
			return validIPv4(a) && allGroups(groups, elided)
		}
		if n == 0 || n > 4 {
			return false
		}
		groups++
		a = a[n:]
		if len(a) == 0 {
			return allGroups(groups, elided)
		}
		if a[0] != ':' || groups >= 8 {
			return false
		}
		a = a[1:]
		if len(a) > 0 && a[0] == ':' {
			if elided {
				return false
			}
			elided = true
			a = a[1:]
			if len(a) == 0 {
				return groups < 8
			}
		}
	}
}

// allGroups reports whether the number of groups makes an address: eight, or fewer
// if the rest is elided.
func allGroups(groups int, elided bool) bool {
	if elided {
		return groups < 8
	}
	return groups == 8
}

// validIPv4 reports whether a is four decimal octets without leading zeros.
func validIPv4(a []byte) bool {
	for part := 0; ; part++ {
		n, v := 0, 0
		for n < len(a) && n < 3 && '0' <= a[n] && a[n] <= '9' {
			v = v*10 + int(a[n]-'0')
			n++
		}
		if n == 0 || v > 255 || n > 1 && a[0] == '0' {
			return false
		}
		a = a[n:]
		if part == 3 {
			return len(a) == 0
		}
		if len(a) == 0 || a[0] != '.' {
			return false
		}
		a = a[1:]
	}
}
