package endpoint

import (
	"bytes"

	"github.com/mooring-mcp/mooring/httpparse"
)

// SharesWith reports whether the origin of r is allowed, so that a browser may show the response to
// it. This holds for every response, because a client must be able to read why its request was
// refused.
func (p *Policy) SharesWith(r *httpparse.Request, to Route, from Trust) bool {
	switch to {
	case RouteRefused, RouteHealth, RouteReady, RouteOptions:
		return p.hostAllowed(r.Host, from) && p.originAllowed(r.Origin, from)
	case RouteDocument:
		return false // its responses allow any origin, by a field of their own
	}
	return true // Check has verified it
}

// SharedOrigin returns the origin of a head that was refused, if the origin is allowed, and nil
// otherwise. The head may be broken: its first complete Origin and Host lines count.
func (p *Policy) SharedOrigin(head []byte, from Trust) []byte {
	origin, ok := fieldOf(head, "origin")
	host, hasHost := fieldOf(head, "host")
	if !ok || !hasHost || !p.hostAllowed(host, from) || !p.originAllowed(origin, from) {
		return nil
	}
	return origin
}

// fieldOf returns the value of the first field line with the name in a head that may be broken. ok
// is false if that line is not complete, or if the value is not visible ASCII, as those of Origin
// and Host are.
func fieldOf(head []byte, name string) (value []byte, ok bool) {
	_, rest, _ := bytes.Cut(head, []byte("\r\n")) // the request-line
	for {
		var line []byte
		if line, rest, ok = bytes.Cut(rest, []byte("\r\n")); !ok || len(line) == 0 {
			return nil, false
		}
		field, value, found := bytes.Cut(line, []byte{':'})
		if !found || !equalFold(field, name) {
			continue
		}
		value = bytes.Trim(value, " \t")
		for _, c := range value {
			if c <= ' ' || c >= 0x7f {
				return nil, false
			}
		}
		return value, true
	}
}
