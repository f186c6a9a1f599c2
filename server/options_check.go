package server

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// OptionError reports a value of Options that cannot work.
type OptionError struct {
	Option string // the name of the field
	Value  string
	Reason string // what is wrong with Value
}

// Error returns the field, the value and the reason.
func (e *OptionError) Error() string {
	return fmt.Sprintf("server: Options.%s: %q %s", e.Option, e.Value, e.Reason)
}

// Validate returns an *OptionError for the first value that could never have an effect, such as
// an origin with a path, which no browser sends. New panics with it, because a host that sets
// such a value would serve nobody or the wrong clients without notice.
func (o *Options) Validate() error {
	for _, p := range []struct{ name, path string }{{"Path", o.Path}, {"SSEPath", o.SSEPath}} {
		if reason := pathFault(p.path); p.path != "" && reason != "" {
			return &OptionError{p.name, p.path, reason}
		}
	}
	if err := checkPaths(o); err != nil {
		return err
	}
	for _, origin := range o.AllowedOrigins {
		if reason := originFault(strings.TrimSpace(origin)); reason != "" {
			return &OptionError{"AllowedOrigins", origin, reason}
		}
	}
	for _, host := range o.AllowedHosts {
		if reason := hostFault(trimHost(host)); reason != "" {
			return &OptionError{"AllowedHosts", host, reason}
		}
	}
	for _, list := range []struct {
		name     string
		prefixes []netip.Prefix
	}{{"ProxyProtocol", o.ProxyProtocol}, {"TrustedProxies", o.TrustedProxies}} {
		for _, p := range list.prefixes {
			if reason := prefixFault(p); reason != "" {
				return &OptionError{list.name, p.String(), reason}
			}
		}
	}
	if e := o.Scopes.fault(); e != nil {
		return e
	}
	for _, name := range o.HandlerHeaders {
		if !isToken(strings.TrimSpace(name)) {
			return &OptionError{"HandlerHeaders", name, "is not the name of a header field"}
		}
	}
	if err := checkQuotas(o); err != nil {
		return err
	}
	return checkAuthentication(o)
}

// prefixFault returns why no peer has an address in p, or "" if one can.
func prefixFault(p netip.Prefix) string {
	switch {
	case !p.IsValid():
		return "is not a range of addresses, such as 192.0.2.0/24"
	case p.Addr().Is4In6():
		return "is a range of IPv4 addresses in the form of IPv6: write it as IPv4"
	}
	return ""
}

// pathFault returns why no request can have the path, or "" if one can. The path must be what a
// request-target in origin-form has before its query (RFC 9112 section 3.2.1).
func pathFault(path string) string {
	if !strings.HasPrefix(path, "/") {
		return "does not begin with /"
	}
	for i := range len(path) {
		c := path[i]
		switch {
		case c == '?' || c == '#':
			return "is more than a path"
		case c <= ' ' || c >= 0x7f:
			return "has a character that must be percent-encoded in a path"
		}
	}
	return ""
}

// originFault returns why no browser sends the origin, or "" if one may.
//
//	RFC 6454, section 6.2: an origin is serialized as its scheme, "://", its host and, "if the
//	port part of the origin triple is different from the default port for the protocol given by
//	the scheme", a colon and the port. An opaque one is "null".
func originFault(origin string) string {
	switch {
	case origin == "":
		return "is empty"
	case origin == "*" || origin == "null":
		return ""
	case strings.Contains(origin, "*"):
		return "has a wildcard; only * by itself is allowed"
	}
	scheme, host, ok := strings.Cut(origin, "://")
	if !ok || !isScheme(scheme) {
		return "is not an origin, such as https://example.com"
	}
	switch strings.IndexAny(host, "/?#@") {
	case -1:
	default:
		return "has more than scheme, host and port: browsers send no path, query or user"
	}
	if strings.HasPrefix(host, "[") {
		literal, port, ok := strings.Cut(host[1:], "]")
		addr, err := netip.ParseAddr(literal)
		if !ok || err != nil || !addr.Is6() || addr.Zone() != "" {
			return "has no IPv6 address within its brackets"
		}
		if shortest := addr.String(); !strings.EqualFold(shortest, literal) {
			return "is not sent by browsers: they write the address as [" + shortest + "]"
		}
		if port == "" {
			return ""
		}
		if port[0] != ':' {
			return "has something other than a port after the host"
		}
		return portFault(scheme, port[1:])
	}
	name, port, hasPort := strings.Cut(host, ":")
	if reason := nameFault(name); reason != "" {
		return reason
	}
	if hasPort {
		return portFault(scheme, port)
	}
	return ""
}

// portFault returns why no browser sends an origin of the scheme with the port, or "" if one may.
func portFault(scheme, port string) string {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return "has a port that is not a number from 1 to 65535"
	}
	if strings.EqualFold(scheme, "http") && n == 80 || strings.EqualFold(scheme, "https") && n == 443 {
		return "is sent by browsers without the default port"
	}
	return ""
}

// isScheme reports whether s is a URI scheme (RFC 3986 section 3.1).
func isScheme(s string) bool {
	for i, c := range []byte(s) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || !('0' <= c && c <= '9') && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}

// hostFault returns why no request names the host, or "" if one may. host must come from trimHost.
func hostFault(host string) string {
	if host == "*" {
		return ""
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.Zone() == "" {
		return ""
	}
	switch {
	case host == "":
		return "is empty"
	case strings.Contains(host, "*"):
		return "has a wildcard; only * by itself is allowed"
	case strings.Contains(host, "://"):
		return "is a URL; only the host is compared"
	case strings.Contains(host, ":"):
		return "has a port; only the host is compared"
	}
	return nameFault(host)
}

// nameFault returns why clients do not send a registered name or an IPv4 address as it is written,
// or "" if they do.
func nameFault(name string) string {
	if name == "" {
		return "has no host"
	}
	for _, c := range []byte(name) {
		switch {
		case c >= 0x80:
			return "has a character outside ASCII; clients send such a name as xn--…"
		case 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0:
		default:
			return fmt.Sprintf("has %q, which no host can have", c)
		}
	}
	return ""
}

// checkPaths returns what is wrong with the paths of the endpoints.
func checkPaths(o *Options) error {
	if o.SSEPath == "" {
		return nil
	}
	for _, taken := range []string{o.Path, "/healthz", "/readyz"} {
		if o.SSEPath == taken || o.SSEPath+messagePath == taken {
			return &OptionError{"SSEPath", o.SSEPath, "is in the way of " + taken}
		}
	}
	return nil
}
