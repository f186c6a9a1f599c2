// Package bearer reads bearer tokens from header fields and writes the challenges that refuse them:
// RFC 6750, and RFC 9728 section 5.1. Its functions are pure.
package bearer

import (
	"slices"
	"strings"
)

// The codes of RFC 6750, section 3.1.
const (
	InvalidRequest    = "invalid_request"
	InvalidToken      = "invalid_token"
	InsufficientScope = "insufficient_scope"
)

// Found says what the value of an Authorization field has.
type Found uint8

const (
	None      Found = iota // no bearer token: nothing, or the credentials of another scheme
	Malformed              // a bearer token that cannot be one
	Token                  // a bearer token
)

const scheme = "Bearer"

// Read returns the token in the value of an Authorization field. The scheme is case-insensitive.
//
//	RFC 6750, section 3.1: "If the request lacks any authentication information (e.g., the client
//	was unaware that authentication is necessary or attempted using an unsupported authentication
//	method), the resource server SHOULD NOT include an error code or other error information."
func Read[T string | []byte](field T) (token T, found Found) {
	switch token = Cut(field); {
	case len(token) == 0:
		return token, None
	case !IsToken68(token):
		return token[:0], Malformed
	}
	return token, Token
}

// Cut returns what follows the scheme in the value of an Authorization field: a token, if it is a
// token68. It is empty if there is no bearer token.
func Cut[T string | []byte](field T) (token T) {
	for len(field) > 0 && isSpace(field[0]) {
		field = field[1:]
	}
	for len(field) > 0 && isSpace(field[len(field)-1]) {
		field = field[:len(field)-1]
	}
	const n = len(scheme)
	if len(field) <= n || field[n] != ' ' || !strings.EqualFold(string(field[:n]), scheme) {
		return token
	}
	field = field[n:]
	for len(field) > 0 && field[0] == ' ' {
		field = field[1:]
	}
	return field
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// IsToken68 reports whether s is a token68 of RFC 9110, section 11.2, as bearer tokens are.
func IsToken68[T string | []byte](s T) bool {
	n := len(s)
	for n > 0 && s[n-1] == '=' {
		n--
	}
	for i := range n {
		if !inToken68[s[i]] {
			return false
		}
	}
	return n > 0
}

// inToken68 are the octets of a token68 before its padding.
var inToken68 = func() (set [256]bool) {
	for _, c := range "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/" {
		set[c] = true
	}
	return set
}()

// IsScope reports whether s is a scope-token of RFC 6749, section 3.3.
func IsScope(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}

// A Challenge is what a refusal says in WWW-Authenticate. Empty fields are left out.
type Challenge struct {
	Error       string // one of the codes; empty if the request brought no token
	Description string // left out without Error
	// Metadata is the absolute URL of the protected resource metadata, if Base is not empty.
	Metadata Metadata
	Scopes   []string
}

// Metadata is a URL in two parts, so that nobody has to join them.
type Metadata struct{ Base, Path string }

// AppendChallenge appends the value of WWW-Authenticate. It begins with the scheme, because some
// clients look for it there only.
func AppendChallenge(dst []byte, c *Challenge) []byte {
	dst = append(dst, scheme...)
	start := len(dst)
	param := func(name string) {
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, ' '), name...), '=', '"')
	}
	if c.Error != "" {
		param("error")
		dst = append(appendEscaped(dst, c.Error), '"')
		if c.Description != "" {
			param("error_description")
			dst = append(appendEscaped(dst, c.Description), '"')
		}
	}
	if c.Metadata.Base != "" {
		param("resource_metadata")
		dst = append(appendEscaped(appendEscaped(dst, c.Metadata.Base), c.Metadata.Path), '"')
	}
	if len(c.Scopes) > 0 {
		param("scope")
		for i, s := range c.Scopes {
			if i > 0 {
				dst = append(dst, ' ')
			}
			dst = appendEscaped(dst, s)
		}
		dst = append(dst, '"')
	}
	if len(dst) == start {
		// "The auth-scheme value MUST be followed by one or more auth-param values."
		param("realm")
		dst = append(dst, `mcp"`...)
	}
	return dst
}

// appendEscaped appends s as the inside of a quoted-string of RFC 9110, section 5.6.4. Control
// characters, which have no place in it, become spaces.
func appendEscaped(dst []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ' || c == 0x7f:
			dst = append(dst, ' ')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// WellKnown is the path under which protected resource metadata is published. The path of the
// resource follows it (RFC 9728, section 3.1).
const WellKnown = "/.well-known/oauth-protected-resource"

// maxGranted is the length in bytes up to which WithGranted adds scopes: clients limit the length
// of a head.
const maxGranted = 2 << 10

// WithGranted returns need with what of granted it lacks. A client of an earlier revision asks for
// exactly the scopes of a challenge and would lose the others.
func WithGranted(need, granted []string) []string {
	all := slices.Clone(need)
	room := maxGranted
	for _, s := range granted {
		if room -= len(s) + 1; room < 0 {
			break
		}
		if IsScope(s) && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}
