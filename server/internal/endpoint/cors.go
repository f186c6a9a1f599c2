package endpoint

import (
	"bytes"

	"github.com/mooring-mcp/mooring/httpparse"
)

// SharesWith reports whether the origin of r is allowed, so that a browser may show the response
// to it: any response, since a client must be able to read why it was refused.
func (p *Policy) SharesWith(r *httpparse.Request, to Route, from Trust) bool {
	switch to {
	case RouteRefused, RouteHealth, RouteReady, RouteOptions:
		return p.hostAllowed(r.Host, from) && p.originAllowed(r.Origin, from)
	}
	return true // check has found so
}

// SharedOrigin returns the origin of a head that was refused, if it is allowed and the head got
// far enough to say so: its first complete Origin and Host lines count. It returns nil otherwise.
func (p *Policy) SharedOrigin(head []byte, from Trust) []byte {
	origin, ok := fieldOf(head, "origin")
	host, hasHost := fieldOf(head, "host")
	if !ok || !hasHost || !p.hostAllowed(host, from) || !p.originAllowed(origin, from) {
		return nil
	}
	return origin
}

// fieldOf returns the value of the first field line of the name in a head that may be broken, if
// the line is complete and the value is visible ASCII, as that of Origin and Host is.
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
