package httpparse

// noteField records a complete field line of a known kind, and judges the values
// that can be judged on their own.
func (r *Request) noteField(b []byte, f *fieldSpan, k fieldKind) error {
	if k == kindMCPParam {
		r.HasMCPParam = true
		return nil
	}
	again := r.first[k].end != 0
	if again {
		r.repeated |= 1 << k
	} else {
		r.first[k] = valueSpan{f.value, f.valueEnd}
	}
	if k > kindHost {
		return nil
	}
	v := b[f.value:f.valueEnd]
	switch k {
	case kindHost:
		// RFC 9112, section 3.2: "A server MUST respond with a 400 (Bad
		// Request) status code to any HTTP/1.1 request message that lacks a
		// Host header field and to any request message that contains more than
		// one Host header field line or a Host header field with an invalid
		// field value."
		if again {
			return errHostRepeated
		}
		if ok, _ := validAuthority(v); !ok {
			return errHostInvalid
		}
	case kindContentLength:
		// RFC 9110, section 8.6: a recipient of a Content-Length that repeats
		// the same decimal value MUST either reject the message as invalid or
		// replace it with that single value. RFC 9112, section 6.3(5): any
		// other repetition is an unrecoverable error.
		if again {
			return errLengthRepeated
		}
		n, ok := contentLength(v)
		if !ok {
			return errLengthInvalid
		}
		r.ContentLength = n
	case kindConnection:
		// RFC 9112, section 9.3: "If the "close" connection option is present,
		// the connection will not persist after the current response".
		r.closes = r.closes || string(v) != "keep-alive" && listHas(v, "close")
	case kindExpect:
		if equalFold(v, "100-continue") {
			r.continues = true
		} else {
			r.otherExpect = true
		}
	}
	return nil
}

// contentLength reads a Content-Length of at most 18 digits, which cannot
// overflow.
//
//	RFC 9110, section 8.6: "Content-Length = 1*DIGIT". "Since there is no
//	predefined limit to the length of content, a recipient MUST anticipate
//	potentially large decimal numerals and prevent parsing errors due to integer
//	conversion overflows or precision loss due to integer conversion".
func contentLength(v []byte) (n int64, ok bool) {
	if len(v) == 0 || len(v) > 18 {
		return 0, false
	}
	for _, c := range v {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// listHas reports whether the comma-separated list v has the element want, in
// any case.
func listHas(v []byte, want string) bool {
	if equalFold(v, want) {
		return true
	}
	for start := 0; start < len(v); {
		end := start
		for end < len(v) && v[end] != ',' {
			end++
		}
		if equalFold(trim(v[start:end]), want) {
			return true
		}
		start = end + 1
	}
	return false
}

// trim removes optional white space at both ends.
func trim(v []byte) []byte {
	for len(v) > 0 && (v[0] == ' ' || v[0] == '\t') {
		v = v[1:]
	}
	for len(v) > 0 && (v[len(v)-1] == ' ' || v[len(v)-1] == '\t') {
		v = v[:len(v)-1]
	}
	return v
}

// transferCoding judges a Transfer-Encoding value. Nil means that it is exactly
// "chunked", the only coding that this package decodes.
//
//	RFC 9112, section 6.1: "A server that receives a request message with a
//	transfer coding it does not understand SHOULD respond with 501 (Not
//	Implemented)." "A sender MUST NOT apply the chunked transfer coding more than
//	once to a message body".
//	RFC 9112, section 6.3(4): "If a Transfer-Encoding header field is present in a
//	request and the chunked transfer coding is not the final encoding, the
//	message body length cannot be determined reliably; the server MUST respond
//	with the 400 (Bad Request) status code and then close the connection."
//	RFC 9112, section 7: chunked has no parameters, "their presence SHOULD be
//	treated as an error".
//
// An unknown coding gets 501 even if it is the final one, because it may delimit
// itself.
func transferCoding(v []byte) error {
	if equalFold(v, "chunked") {
		return nil
	}
	chunked := false
	for start := 0; start <= len(v); {
		end := start
		for end < len(v) && v[end] != ',' {
			end++
		}
		e := trim(v[start:end])
		if chunked || !isTokenOnly(e) {
			return errCodingInvalid
		}
		chunked = equalFold(e, "chunked")
		start = end + 1
	}
	return errCodingNotSupported
}

func isTokenOnly(e []byte) bool {
	for _, c := range e {
		if octets[c]&isToken == 0 {
			return false
		}
	}
	return len(e) > 0
}
