package mcp

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// URIs are compared by RFC 3986, section 6.2.2. The case of scheme, host and percent-encodings
// does not matter, and a character that need not be encoded is the same encoded or not. For
// clients that do not encode, characters that a URI cannot have (spaces, letters outside ASCII)
// are the same as their encodings, and so is a percent sign that begins no encoding. Dot segments
// are left alone, because the handler decides what they mean.

// A fold says which parts of a URI are written in lower case.
type fold uint8

const (
	foldScheme fold = iota // the scheme
	foldHost               // scheme and host
)

// normalURI returns the normalized spelling of uri, which is used to compare it.
func normalURI(uri string) string {
	if isNormalURI(uri) {
		return uri
	}
	return string(appendNormalURI(nil, uri, foldHost, false))
}

// isNormalURI reports whether uri is certainly normalized. Most URIs are, and nothing is copied
// then.
func isNormalURI[T string | []byte](uri T) bool {
	slashes := 0
	for i := 0; i < len(uri); i++ {
		switch c := uri[i]; {
		case c == '/':
			slashes++
		case 'A' <= c && c <= 'Z':
			if slashes < 3 {
				return false // it may be in the scheme or the host
			}
		case c == '%' || !unreserved(c) && strings.IndexByte(uriReserved, c) < 0:
			return false
		}
	}
	return true
}

// uriReserved are the reserved characters of RFC 3986, section 2.2.
const uriReserved = ":/?#[]@!$&'()*+,;="

// normalTemplate returns the normalized spelling of a URI template. Its expressions do not change.
func normalTemplate(text string) string { return string(appendNormalURI(nil, text, foldHost, true)) }

// appendNormalURI appends uri with the parts of f in lower case, and with exactly those characters
// encoded that must be.
func appendNormalURI(dst []byte, uri string, f fold, template bool) []byte {
	scheme, host, end := uriParts(uri, template)
	for i := 0; i < len(uri); i++ {
		c := uri[i]
		lower := i < scheme || f == foldHost && host <= i && i < end
		switch {
		case template && c == '{':
			n := strings.IndexByte(uri[i:], '}')
			if n < 0 {
				return append(dst, uri[i:]...)
			}
			dst = append(dst, uri[i:i+n+1]...)
			i += n
			continue
		case c == '%' && isTriplet(uri[i:]):
			v := unhex(uri[i+1])<<4 | unhex(uri[i+2])
			i += 2
			if !unreserved(v) {
				dst = appendTriplet(dst, v)
				continue
			}
			c = v
		case !unreserved(c) && strings.IndexByte(uriReserved, c) < 0:
			dst = appendTriplet(dst, c)
			continue
		}
		if lower && 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// uriParts returns the index where the scheme of uri ends, and those where its host begins and
// where host and port end. Without a scheme all are 0.
func uriParts(uri string, template bool) (scheme, host, end int) {
	scheme = strings.IndexByte(uri, ':')
	if scheme < 1 || !isScheme(uri[:scheme]) {
		return 0, 0, 0
	}
	if !strings.HasPrefix(uri[scheme+1:], "//") {
		return scheme, 0, 0
	}
	host = scheme + 3
	for end = host; end < len(uri); end++ {
		switch c := uri[end]; {
		case c == '/' || c == '?' || c == '#':
			return scheme, host, end
		case c == '@':
			host = end + 1
		case c == '{' && template:
			n := strings.IndexByte(uri[end:], '}')
			if n < 0 {
				return scheme, host, end
			}
			if strings.IndexByte("/?#+", uri[end+1]) >= 0 {
				return scheme, host, end // its expansion may end the host
			}
			end += n
		}
	}
	return scheme, host, end
}

func isScheme(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i] | 0x20
		if ('a' > c || c > 'z') && (i == 0 || (s[i] < '0' || s[i] > '9') && strings.IndexByte("+-.", s[i]) < 0) {
			return false
		}
	}
	return s != ""
}

// encodedURI returns uri as it was written, but with the characters that a URI cannot have
// percent-encoded. It returns false if that is not an absolute URI.
func encodedURI(uri string, template bool) (string, bool) {
	if !utf8.ValidString(uri) {
		return "", false
	}
	// plain has a letter instead of each encoding: net/url refuses those in hosts
	var out, plain []byte
	for i := 0; i < len(uri); i++ {
		c := uri[i]
		switch {
		case c < ' ' || c == 0x7f:
			return "", false
		case template && c == '{':
			n := strings.IndexByte(uri[i:], '}')
			if n < 0 {
				return uri, true // the template's own parser says what is wrong
			}
			out, plain = append(out, uri[i:i+n+1]...), append(plain, 'x')
			i += n
		case c == '%' && !isTriplet(uri[i:]):
			return "", false
		case c == '%':
			out, plain = append(out, uri[i:i+3]...), append(plain, 'x')
			i += 2
		case unreserved(c) || strings.IndexByte(uriReserved, c) >= 0:
			out, plain = append(out, c), append(plain, c)
		default:
			out, plain = appendTriplet(out, c), append(plain, 'x')
		}
	}
	if template {
		return string(out), true
	}
	u, err := url.Parse(string(plain))
	scheme, _, _ := uriParts(string(out), false)
	return string(out), err == nil && u.IsAbs() && scheme > 0
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// isTriplet reports whether s begins with a percent-encoding.
func isTriplet(s string) bool {
	return len(s) > 2 && s[0] == '%' && unhex(s[1]) < 16 && unhex(s[2]) < 16
}

// unhex returns the value of the hexadecimal digit c, or 255 if c is not one.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}

func appendTriplet(dst []byte, c byte) []byte {
	const digits = "0123456789ABCDEF"
	return append(dst, '%', digits[c>>4], digits[c&15])
}
