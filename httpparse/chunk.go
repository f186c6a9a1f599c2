package httpparse

// maxSizeDigits is the number of digits that fit in 64 bits. A longer chunk-size
// is refused even if it begins with zeros, because parsers read it differently.
const maxSizeDigits = 16

// chunkSize consumes one octet of chunk-size, or the one after it.
//
//	RFC 9112, section 7.1: "chunk-size = 1*HEXDIG". "A recipient MUST
//	anticipate potentially large hexadecimal numerals and prevent parsing
//	errors due to integer conversion overflows or precision loss due to integer
//	representation."
func (d *BodyDecoder) chunkSize(c byte) error {
	if octets[c]&isHex != 0 {
		if d.digits == maxSizeDigits {
			return errChunkSize
		}
		if d.digits == 0 {
			d.remain = 0
		}
		d.digits++
		v := c & 0x0f
		if c > '9' {
			v += 9
		}
		d.remain = d.remain<<4 | uint64(v)
		return nil
	}
	if d.digits == 0 {
		return errChunkSize
	}
	switch c {
	case '\r':
		return d.endSize()
	case ';':
		// The grammar has BWS before ";". It is refused here, because parsers have
		// disagreed about what follows a size and white space.
		d.ext = extNameStart
		d.state = bodyStateChunkExt
		return d.countExt()
	}
	return errChunkSize
}

// endSize judges the chunk-size once its line is complete.
func (d *BodyDecoder) endSize() error {
	if d.remain > 1<<63-1 {
		return errChunkSize
	}
	if int64(d.remain) > d.limit-d.total {
		return errContentTooLarge
	}
	d.last = d.remain == 0
	d.state = bodyStateChunkLF
	return nil
}

// An extState is the position of a BodyDecoder in chunk-ext.
//
//	RFC 9112, section 7.1.1:
//	chunk-ext      = *( BWS ";" BWS chunk-ext-name
//	                   [ BWS "=" BWS chunk-ext-val ] )
//	chunk-ext-name = token
//	chunk-ext-val  = token / quoted-string
type extState uint8

const (
	extNameStart  extState = iota // after ";"
	extName                       // in a name
	extNameEnd                    // white space after a name
	extValueStart                 // after "="
	extToken                      // in a value that is a token
	extQuoted                     // in a value that is a quoted-string
	extEscaped                    // after "\" in a quoted-string
	extValueEnd                   // after a closing quote
)

// chunkExt consumes one octet of chunk-ext, or the CR after it. Extensions are
// ignored. Their length is limited because they cost their sender nothing.
//
//	RFC 9112, section 7.1.1: "A recipient MUST ignore unrecognized chunk
//	extensions. A server ought to limit the total length of chunk extensions
//	received in a request to an amount reasonable for the services provided".
func (d *BodyDecoder) chunkExt(c byte) error {
	if c == '\r' {
		switch d.ext {
		case extName, extNameEnd, extToken, extValueEnd:
			return d.endSize()
		}
		return errChunkExt
	}
	next, ok := d.ext.next(c)
	if !ok {
		return errChunkExt
	}
	d.ext = next
	return d.countExt()
}

// countExt counts an octet of chunk-ext against the limits.
func (d *BodyDecoder) countExt() error {
	d.lineExt++
	d.bodyExt++
	if d.lineExt > d.limits.lineExt || d.bodyExt > d.limits.bodyExt {
		return errChunkExtTooLong
	}
	return nil
}

// next returns the state after c, and whether c is allowed in state s.
func (s extState) next(c byte) (extState, bool) {
	token := octets[c]&isToken != 0
	space := c == ' ' || c == '\t'
	switch s {
	case extNameStart:
		if token {
			return extName, true
		}
		return s, space
	case extName, extNameEnd:
		switch {
		case c == ';':
			return extNameStart, true
		case c == '=':
			return extValueStart, true
		case space:
			return extNameEnd, true
		}
		return s, token && s == extName
	case extValueStart:
		switch {
		case c == '"':
			return extQuoted, true
		case token:
			return extToken, true
		}
		return s, space
	case extToken, extValueEnd:
		switch {
		case c == ';':
			return extNameStart, true
		case space:
			return extValueEnd, true
		}
		return s, token && s == extToken
	case extQuoted:
		switch c {
		case '"':
			return extValueEnd, true
		case '\\':
			return extEscaped, true
		}
		return s, octets[c]&isQuoted != 0
	default: // extEscaped
		// RFC 9110, section 5.6.4: quoted-pair = "\" ( HTAB / SP / VCHAR /
		// obs-text ): the octets of a field value.
		return extQuoted, octets[c]&isValue != 0
	}
}
