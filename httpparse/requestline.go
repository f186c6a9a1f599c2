package httpparse

import "encoding/binary"

// These words are like those of field names.
const (
	wordGet    = 0x2054454700000000 // "....GET "
	wordPost   = 0x2054534f50000000 // "...POST "
	wordDelete = 0x204554454c454400 // ".DELETE "
	wordHTTP11 = 0x312e312f50545448 // "HTTP/1.1"
)

// parseRequestLine parses up to and including the CRLF of the request-line.
//
//	RFC 9112, section 3: "request-line = method SP request-target SP
//	HTTP-version". "Although the request-line grammar rules require that each of
//	the component elements be separated by a single SP octet, recipients MAY
//	instead parse on whitespace-delimited word boundaries". This parser does not.
func (r *Request) parseRequestLine(b []byte, i int, state parseState) (int, parseState, error) {
	switch state {
	case stateMethod:
		if end := r.parseWholeRequestLine(b, i); end > i {
			return end, stateField, nil
		}
		for i < len(b) && octets[b[i]]&isToken != 0 {
			i++
		}
		if i >= len(b) {
			return i, stateMethod, ErrIncomplete
		}
		if b[i] != ' ' || i == int(r.line) {
			return i, state, errMethodOctet
		}
		r.Method = methodOf(b[r.line:i])
		i++
		r.target = uint16(i)
		fallthrough

	case stateTarget:
		if i == int(r.target) {
			if i >= len(b) {
				return i, stateTarget, ErrIncomplete
			}
			if !startsTarget(b[i], r.Method) {
				return i, state, errTargetOctet
			}
		}
	target:
		for {
			for i < len(b) && octets[b[i]]&isTarget != 0 {
				i++
			}
			if i >= len(b) {
				return i, stateTarget, ErrIncomplete
			}
			switch b[i] {
			case ' ':
				break target
			case '?':
				if r.query == 0 {
					r.query = uint16(i)
				}
				i++
			case '%':
				// RFC 3986, section 2.1: pct-encoded = "%" HEXDIG HEXDIG
				for k := i + 1; k <= i+2; k++ {
					if k >= len(b) {
						return i, stateTarget, ErrIncomplete
					}
					if octets[b[k]]&isHex == 0 {
						return k, state, errTargetPercent
					}
				}
				i += 3
			default:
				// RFC 9112, section 3.2: "Recipients of an invalid request-line
				// SHOULD respond with either a 400 (Bad Request) error or a 301
				// (Moved Permanently) redirect with the request-target properly
				// encoded. A recipient SHOULD NOT attempt to autocorrect and
				// then process the request without a redirect".
				return i, state, errTargetOctet
			}
		}
		r.targetEnd = uint16(i)
		if err := r.splitTarget(b); err != nil {
			return i, state, err
		}
		i++
		r.version = uint16(i)
		fallthrough

	case stateVersion:
		if i == int(r.version) && len(b)-i > 8 && b[i+8] == '\r' &&
			binary.LittleEndian.Uint64(b[i:]) == wordHTTP11 {
			i += 8
		}
		for {
			if i >= len(b) {
				return i, stateVersion, ErrIncomplete
			}
			k := i - int(r.version)
			if !versionOctet(k, b[i]) {
				return i, state, errVersion
			}
			if k == len("HTTP/1.1") {
				break
			}
			i++
		}
		// RFC 9110, section 15.6.6: "The 505 (HTTP Version Not Supported) status
		// code indicates that the server does not support, or refuses to
		// support, the major version of HTTP that was used in the request
		// message." The preface of RFC 9113, section 3.4, ends here.
		major, minor := b[i-3], b[i-1]
		if major != '1' || minor > '1' {
			return i, state, errVersionUnknown
		}
		r.Minor = minor - '0'
		i++
		fallthrough

	default: // stateLineLF
		if i >= len(b) {
			return i, stateLineLF, ErrIncomplete
		}
		if b[i] != '\n' {
			return i, state, errLineEnd
		}
		return i + 1, stateField, nil
	}
}

// parseWholeRequestLine parses a request-line that is complete and has the form
// that MCP clients send: one of their methods, a path without a query, HTTP/1.1.
// It returns the end of the line. For any other line it returns start, and
// parseRequestLine looks at the line octet by octet. parseRequestLine accepts all
// lines that this function accepts.
func (r *Request) parseWholeRequestLine(b []byte, start int) int {
	if start != int(r.line) || len(b)-start < 8 {
		return start
	}
	var i int
	var m Method
	switch w := binary.LittleEndian.Uint64(b[start:]); {
	case w<<24 == wordPost:
		i, m = start+len("POST "), MethodPost
	case w<<32 == wordGet:
		i, m = start+len("GET "), MethodGet
	case w<<8 == wordDelete:
		i, m = start+len("DELETE "), MethodDelete
	default:
		return start
	}
	if b[i] != '/' {
		return start
	}
	target := i
	for i < len(b) && octets[b[i]]&isTarget != 0 {
		i++
	}
	const rest = " HTTP/1.1\r\n"
	if len(b)-i < len(rest) || b[i] != ' ' || binary.LittleEndian.Uint64(b[i+1:]) != wordHTTP11 ||
		b[i+9] != '\r' || b[i+10] != '\n' {
		return start
	}
	r.Method, r.Form, r.Minor = m, FormOrigin, 1
	r.target, r.targetEnd = uint16(target), uint16(i)
	return i + len(rest)
}

// versionOctet reports whether c may be octet k of HTTP-version CR.
//
//	RFC 9112, section 2.3: "HTTP-version = HTTP-name "/" DIGIT "." DIGIT",
//	"HTTP-name = %s"HTTP"" (case-sensitive). HTTP/0.9 has no HTTP-version.
func versionOctet(k int, c byte) bool {
	switch k {
	case 5:
		return '1' <= c && c <= '9'
	case 7:
		return '0' <= c && c <= '9'
	}
	return c == "HTTP/1.1\r"[k]
}

// startsTarget reports whether c can begin a request-target: "/" of the
// origin-form, "*", a letter of a scheme, or any octet of an authority.
func startsTarget(c byte, m Method) bool {
	l := c | 0x20
	return c == '/' || c == '*' || 'a' <= l && l <= 'z' || m == MethodConnect && octets[c]&isTarget != 0
}

// splitTarget finds the form of the request-target and its parts.
func (r *Request) splitTarget(b []byte) error {
	t := b[r.target:r.targetEnd]
	switch {
	case r.Method == MethodConnect:
		// RFC 9112, section 3.2.3: "authority-form = uri-host ":" port", "only
		// used for CONNECT requests".
		r.Form = FormAuthority
		if ok, port := validAuthority(t); !ok || !port || r.query != 0 {
			return errTargetForm
		}
	case t[0] == '/':
		r.Form = FormOrigin
	case t[0] == '*':
		if len(t) != 1 {
			return errTargetForm
		}
		r.Form = FormAsterisk
	default:
		// RFC 9112, section 3.2.2: "absolute-form = absolute-URI". "A server
		// MUST accept the absolute-form in requests". Of the schemes only
		// HTTP's own can name a resource here.
		r.Form = FormAbsolute
		var start int
		switch {
		case len(t) >= 7 && equalFold(t[:7], "http://"):
			start = 7
		case len(t) >= 8 && equalFold(t[:8], "https://"):
			start = 8
		default:
			return errTargetForm
		}
		end := start
		for end < len(t) && t[end] != '/' && t[end] != '?' {
			end++
		}
		if ok, _ := validAuthority(t[start:end]); !ok {
			return errHostInvalid
		}
		r.authority = r.target + uint16(start)
		r.authEnd = r.target + uint16(end)
	}
	return nil
}
