package httpparse

import "encoding/binary"

// A parseState is the position of the scan in the head.
type parseState uint8

const (
	stateStart     parseState = iota // before the first octet
	stateLeadingLF                   // after the CR of an ignored empty line
	stateMethod                      // in the method
	stateTarget                      // in the request-target
	stateVersion                     // in HTTP-version, or at the CR after it
	stateLineLF                      // after the CR of the request-line
	stateField                       // at the start of a field line, or of the empty line
	stateName                        // in a field name, past its first octet
	statePadding                     // in the white space before a field value
	stateValue                       // in a field value
	stateFieldLF                     // after the CR of a field line
	stateEndLF                       // after the CR of the empty line
	stateDone                        // the head is complete
)

// ParseRequest parses the head of one request from the beginning of b.
//
// If b holds all of it, ParseRequest returns its length n, including the empty
// line and an ignored leading CRLF; b[n:] is content, or the next request. The
// slices in r then alias b.
//
// If b holds only a part of it, ParseRequest returns [ErrIncomplete], and r
// remembers how far it came. The caller calls again with the same octets and
// more. Seen is how many of them r has seen already; 0 begins a new request. The
// octets may have moved in between. The total time is linear in their number,
// however small the steps are.
//
// Otherwise the request is refused: err is an [*Error] and n the offset of the
// octet that was refused. Neither depends on how the input was cut.
//
// The grammar is that of RFC 9112, sections 2 to 6. The package documentation
// says what is stricter. Lim may be nil.
func ParseRequest(r *Request, b []byte, seen int, lim *Limits) (n int, err error) {
	if seen <= 0 || r.state == stateDone || int(r.scan) > len(b) {
		r.begin()
	}
	i, state := int(r.scan), r.state

	limit := lim.head()
	incomplete := ErrIncomplete
	if len(b) > limit {
		// Nothing past the limit is looked at, so that it makes no difference where
		// the input is cut.
		b, incomplete = b[:limit], errHeadTooLarge
	}

	if state < stateMethod {
		// RFC 9112, section 2.2: "In the interest of robustness, a server that
		// is expecting to receive and parse a request-line SHOULD ignore at
		// least one empty line (CRLF) received prior to the request-line."
		if state == stateStart && i < len(b) {
			state = stateMethod
			if b[i] == '\r' {
				i, state = i+1, stateLeadingLF
			}
		}
		if state == stateLeadingLF && i < len(b) {
			if b[i] != '\n' {
				return r.refuse(i, errLineEnd)
			}
			i, state = i+1, stateMethod
			r.line = uint16(i)
		}
		if state < stateMethod {
			return r.pause(i, len(b), state, incomplete)
		}
	}

	if state < stateField {
		line, short := b, incomplete
		if end := int(r.line) + lim.requestLine() + len("\r\n"); len(b) > end {
			line, short = b[:end], errLineTooLong
		}
		i, state, err = r.parseRequestLine(line, i, state)
		if err == ErrIncomplete {
			if short == errLineTooLong && state == stateMethod {
				// RFC 9112, section 3: "A server that receives a method longer
				// than any that it implements SHOULD respond with a 501 (Not
				// Implemented) status code. A server that receives a
				// request-target longer than any URI it wishes to parse MUST
				// respond with a 414 (URI Too Long) status code."
				short = errMethodUnknown
			}
			return r.pause(i, len(line), state, short)
		}
		if err != nil {
			return r.refuse(i, err)
		}
	}

	i, state, err = r.parseFields(b, i, state, lim.fields())
	if err == ErrIncomplete {
		return r.pause(i, len(b), state, incomplete)
	}
	if err == nil {
		err = r.finish(b[:i:i])
		if err != nil {
			i-- // the LF that ends the head is refused
		}
	}
	if err != nil {
		return r.refuse(i, err)
	}
	r.state = stateDone
	return i, nil
}

// pause keeps the resume state, unless err is a limit, which is reached at end.
func (r *Request) pause(i, end int, state parseState, err error) (int, error) {
	if err != ErrIncomplete {
		return r.refuse(end, err)
	}
	if r.head != nil {
		// This is the first call for a new request. The previous one is over.
		resume, length, param := r.resume, r.ContentLength, r.HasMCPParam
		method, form, minor := r.Method, r.Form, r.Minor
		r.Reset()
		r.resume, r.ContentLength, r.HasMCPParam = resume, length, param
		r.Method, r.Form, r.Minor = method, form, minor
	}
	r.scan, r.state = uint16(i), state
	return 0, err
}

// refuse resets r, so that nothing in it can be taken for a request.
func (r *Request) refuse(i int, err error) (int, error) {
	r.Reset()
	return i, err
}

// parseFields parses field lines up to and including the empty line that ends
// them. Within one call the states of a line follow each other without branching
// back. The switch only finds the place to resume at.
func (r *Request) parseFields(b []byte, i int, state parseState, maxFields int) (int, parseState, error) {
	f := &r.fields[r.numFields&(MaxFields-1)]
	for {
		switch state {
		case stateField:
			var err error
			if i, err = r.parseWholeLines(b, i, maxFields); err != nil {
				return i, state, err
			}
			if i >= len(b) {
				return i, stateField, ErrIncomplete
			}
			c := b[i]
			if c == '\r' {
				i, state = i+1, stateEndLF
				continue
			}
			if octets[c]&isToken == 0 {
				return i, state, fieldStartError(c)
			}
			if int(r.numFields) >= maxFields {
				return i, state, errTooManyFields
			}
			f = &r.fields[r.numFields&(MaxFields-1)]
			f.name = uint16(i)
			i++
			fallthrough

		case stateName:
			for len(b)-i >= 8 {
				if stop := notNameLike(binary.LittleEndian.Uint64(b[i:])); stop != 0 {
					i += firstOctet(stop)
					break
				}
				i += 8
			}
			for i < len(b) && octets[b[i]]&isToken != 0 {
				i++
			}
			if i >= len(b) {
				return i, stateName, ErrIncomplete
			}
			// RFC 9112, section 5.1: "No whitespace is allowed between the
			// field name and colon. … A server MUST reject, with a response
			// status code of 400 (Bad Request), any received request message
			// that contains whitespace between a header field name and colon."
			if b[i] != ':' {
				return i, state, errFieldName
			}
			f.nameEnd = uint16(i)
			i++
			fallthrough

		case statePadding:
			for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
				i++
			}
			if i >= len(b) {
				return i, statePadding, ErrIncomplete
			}
			f.value = uint16(i)
			fallthrough

		case stateValue:
			for {
				for len(b)-i >= 8 {
					if stop := controls(binary.LittleEndian.Uint64(b[i:])); stop != 0 {
						i += firstOctet(stop)
						break
					}
					i += 8
				}
				for i < len(b) && octets[b[i]]&isValue != 0 {
					i++
					if b[i-1] == '\t' {
						break // continue with whole words
					}
				}
				if i >= len(b) {
					return i, stateValue, ErrIncomplete
				}
				if octets[b[i]]&isValue == 0 {
					break
				}
			}
			// RFC 9110, section 5.5: "Field values containing CR, LF, or NUL
			// characters are invalid and dangerous, due to the varying ways
			// that implementations might parse and interpret those characters;
			// a recipient of CR, LF, or NUL within a field value MUST either
			// reject the message or replace each of those characters with SP".
			// The other controls are not part of field-value either.
			if b[i] != '\r' {
				return i, state, errFieldValue
			}
			end := i
			for end > int(f.value) && (b[end-1] == ' ' || b[end-1] == '\t') {
				end--
			}
			f.valueEnd = uint16(end)
			if k := kindOf(b[f.name:f.nameEnd]); k != kindOther {
				if err := r.noteField(b, f, k); err != nil {
					return i, state, err
				}
			}
			i++
			fallthrough

		case stateFieldLF:
			if i >= len(b) {
				return i, stateFieldLF, ErrIncomplete
			}
			// RFC 9112, section 2.2: "A recipient of such a bare CR MUST
			// consider that element to be invalid or replace each bare CR with
			// SP before processing the element or forwarding the message."
			if b[i] != '\n' {
				return i, state, errLineEnd
			}
			i++
			r.numFields++
			state = stateField

		case stateEndLF:
			if i >= len(b) {
				return i, stateEndLF, ErrIncomplete
			}
			if b[i] != '\n' {
				return i, state, errLineEnd
			}
			return i + 1, stateDone, nil
		}
	}
}

// fieldStartError returns why c cannot begin a field line.
//
//	RFC 9112, section 2.2: "A recipient that receives whitespace between the
//	start-line and the first header field MUST either reject the message as
//	invalid or consume each whitespace-preceded line without further
//	processing".
//	RFC 9112, section 5.2: "A server that receives an obs-fold in a request
//	message that is not within a "message/http" container MUST either reject
//	the message by sending a 400 (Bad Request) … or replace each received
//	obs-fold with one or more SP octets".
func fieldStartError(c byte) error {
	switch c {
	case ' ', '\t':
		return errFieldStart
	case ':':
		return errFieldNameEmpty
	}
	return errFieldName
}
