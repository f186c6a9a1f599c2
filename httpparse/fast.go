package httpparse

import (
	"encoding/binary"
	"unsafe"
)

// fastLine is how many octets parseWholeLines must have ahead of it: two words and
// a CRLF.
const fastLine = 8 + 8 + 2

// parseWholeLines parses field lines from i on, where one begins, as long as they
// are complete and have the form that clients use: at most one SP around the
// value, and neither HTAB nor obs-text in it. It returns the start of the first
// line that is different. parseFields looks at that line octet by octet and
// decides what is wrong with it, if anything. parseWholeLines accepts no line that
// parseFields would refuse, and skips none.
//
// The only error that it returns is that of noteField, at offset i.
func (r *Request) parseWholeLines(b []byte, i, maxFields int) (int, error) {
	if int(r.numFields) >= maxFields {
		return i, nil
	}
	base := unsafe.Pointer(unsafe.SliceData(b))
	last := len(b) - fastLine
	f, end := r.span(int(r.numFields)), r.span(maxFields)
	for i <= last && f != end {
		// A known name needs no other check and no search for its colon. p is set
		// to the offset after the colon.
		first, second := load(base, i), load(base, i+8)
		p, kind := 0, kindOther
		switch byte(first) | 0x20 {
		case 'a':
			switch {
			case spells(first<<8, wordAccept):
				p, kind = i+len("accept:"), kindAccept
			case spells(first, wordAcceptE) && spells(second, wordNcoding):
				p, kind = i+len("accept-encoding:"), kindAcceptEncoding
			case spells(first, wordAuthoriz) && spells(second<<16, wordAtion):
				p, kind = i+len("authorization:"), kindAuthorization
			}
		case 'c':
			switch {
			case spells(first, wordContent) && spells(second<<24, wordType):
				p, kind = i+len("content-type:"), kindContentType
			case spells(first, wordContent) && spells(second<<8, wordLength):
				p, kind = i+len("content-length:"), kindContentLength
			case spells(first, wordContent) && spells(second, wordEncoding) &&
				i <= last-8 && byte(load(base, i+16)) == ':':
				p, kind = i+len("content-encoding:"), kindContentEncoding
			case spells(first, wordConnecti) && spells(second<<40, wordOn):
				p, kind = i+len("connection:"), kindConnection
			}
		case 'e':
			if spells(first<<8, wordExpect) {
				p, kind = i+len("expect:"), kindExpect
			}
		case 'h':
			if spells(first<<24, wordHost) {
				p, kind = i+len("host:"), kindHost
			}
		case 'l':
			if spells(first, wordLastEve) && spells(second<<16, wordNtID) {
				p, kind = i+len("last-event-id:"), kindLastEventID
			}
		case 'm':
			switch {
			case spells(first, wordMCPMeth) && spells(second<<40, wordOd):
				p, kind = i+len("mcp-method:"), kindMCPMethod
			case spells(first, wordMCPName) && byte(second) == ':':
				p, kind = i+len("mcp-name:"), kindMCPName
			case spells(first, wordMCPProt) && spells(second, wordOcolVer) &&
				i <= last-8 && spells(load(base, i+16)<<24, wordSion):
				p, kind = i+len("mcp-protocol-version:"), kindMCPProtocolVersion
			case spells(first, wordMCPSess) && spells(second<<8, wordIonID):
				p, kind = i+len("mcp-session-id:"), kindMCPSessionID
			case spells(first, wordMCPPara) && spells(second<<48, wordM):
				kind = kindMCPParam
			}
		case 'o':
			if spells(first<<8, wordOrigin) {
				p, kind = i+len("origin:"), kindOrigin
			}
		case 't':
			if spells(first, wordTransfer) && spells(second, wordEncodin) &&
				i <= last-8 && spells(load(base, i+16)<<48, wordG) {
				p, kind = i+len("transfer-encoding:"), kindTransferEncoding
			}
		case 'u':
			if spells(first, wordUserAge) && spells(second<<40, wordNt) {
				p, kind = i+len("user-agent:"), kindUserAgent
			}
		}

		// Any other name is a token up to a colon.
		if p == 0 {
			p = i
			for p <= last {
				if stop := notNameLike(load(base, p)); stop != 0 {
					p += firstOctet(stop)
					break
				}
				p += 8
			}
			for p <= last && octets[octet(base, p)]&isToken != 0 {
				p++
			}
			if p > last || p == i || octet(base, p) != ':' {
				break
			}
			p++
		}

		// The value ends at a CR.
		f.name, f.nameEnd = uint16(i), uint16(p-1)
		if octet(base, p) == ' ' {
			p++
		}
		f.value = uint16(p)
		q := p
		for {
			if q > last {
				q = valueEnd(base, q, len(b))
				break
			}
			if stop := suspects(load(base, q)); stop != 0 {
				q += firstOctet(stop)
				break
			}
			if stop := suspects(load(base, q+8)); stop != 0 {
				q += 8 + firstOctet(stop)
				break
			}
			q += 16
		}
		if octet(base, p) == ' ' || octet(base, q-1) == ' ' ||
			*(*[2]byte)(unsafe.Add(base, q)) != [2]byte{'\r', '\n'} {
			i = int(f.name)
			break
		}
		f.valueEnd = uint16(q)

		if kind > kindHost && kind < numFieldKinds && r.first[kind].end == 0 {
			r.first[kind] = valueSpan{uint16(p), uint16(q)}
		} else if kind != kindOther {
			if err := r.noteField(b, f, kind); err != nil {
				return q, err
			}
		}
		i = q + 2
		f = (*fieldSpan)(unsafe.Add(unsafe.Pointer(f), unsafe.Sizeof(*f)))
	}
	r.numFields = r.index(f)
	return i, nil
}

// valueEnd returns the offset of the first suspect octet from i on. If that is
// within two octets of the end, size, it may return the offset of any octet that
// is not a CR. i is less than fastLine octets before the end, and more than that
// after the start of the line.
func valueEnd(base unsafe.Pointer, i, size int) int {
	for at := i; ; at += 8 {
		// The last word may begin before i: nothing is suspect there.
		at = min(at, size-8)
		if stop := suspects(load(base, at)); stop != 0 {
			return min(at+firstOctet(stop), size-2)
		}
		if at == size-8 {
			return size - 2
		}
	}
}

// span returns field line n, or the end of all field lines, which is within r too.
func (r *Request) span(n int) *fieldSpan {
	return (*fieldSpan)(unsafe.Add(unsafe.Pointer(&r.fields), n*int(unsafe.Sizeof(fieldSpan{}))))
}

// index returns n for span(n).
func (r *Request) index(f *fieldSpan) uint8 {
	offset := uintptr(unsafe.Pointer(f)) - uintptr(unsafe.Pointer(&r.fields))
	return uint8(offset / unsafe.Sizeof(*f))
}

// load returns the eight octets at offset i from base. The first one is the lowest
// on every machine. The caller has checked that they exist.
func load(base unsafe.Pointer, i int) uint64 {
	return binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(base, i))[:])
}

// octet returns the octet at offset i from base. The caller has checked that it
// exists.
func octet(base unsafe.Pointer, i int) byte { return *(*byte)(unsafe.Add(base, i)) }

// suspects returns a word whose lowest set bit is in the first octet of w that is
// below 0x20, DEL, or above 0x7f. It returns 0 if there is no such octet. It is
// cheaper than controls, and obs-text is rare.
func suspects(w uint64) uint64 { return ((w - 0x20*ones) | (w + ones)) & highs }
