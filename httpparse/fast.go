package httpparse

import (
	"encoding/binary"
	"unsafe"
)

// fastNames is the length of the longest field name that parseWholeLines
// takes, and how much of a line's beginning it must see.
const fastNames = 24

// parseWholeLines parses field lines from i on, which is the start of one, as
// long as they are wholly there and as clients write them: a name of fewer than
// 24 octets, no HTAB in the value, and a few octets more in b to be read in whole
// words. It returns the start of the first line that is not, for parseFields to
// look at octet by octet; that one decides what is wrong, if anything is. So it
// accepts no line that parseFields would refuse, and skips none.
//
// The one error it returns is that of noteField, at offset i.
func (r *Request) parseWholeLines(b []byte, i, maxFields int) (int, error) {
	base := unsafe.Pointer(unsafe.SliceData(b))
	for len(b)-i >= fastNames && int(r.numFields) < maxFields {
		// The name ends at a colon.
		first := load(base, i)
		if byte(first) == '\r' {
			return i, nil
		}
		n := 0
		colon := hasColon(first)
		if colon == 0 {
			n = 8
			if colon = hasColon(load(base, i+8)); colon == 0 {
				n = 16
				if colon = hasColon(load(base, i+16)); colon == 0 {
					return i, nil
				}
			}
		}
		n += firstOctet(colon)

		// The value ends at a CR.
		p := i + n + 1
		for p < len(b) && b[p] == ' ' {
			p++
		}
		q := p
		for {
			if len(b)-q < 8 {
				return i, nil
			}
			if stop := suspects(load(base, q)); stop != 0 {
				q += firstOctet(stop)
				break
			}
			q += 8
		}
		if len(b)-q < 2 || *(*[2]byte)(unsafe.Add(base, q)) != [2]byte{'\r', '\n'} {
			return i, nil
		}
		e := q
		for e > p && b[e-1] == ' ' {
			e--
		}

		// The name is one of those known, which need no other check, or a token.
		kind := kindOther
		if n >= 8 {
			last := load(base, i+n-8)
			kind = longKind(n, first, load(base, i+8), last)
			if (kind == kindOther || kind == kindMCPParam) &&
				(n > 16 || notNameLike(first)|notNameLike(last) != 0) && !isTokenOnly(b[i:i+n]) {
				return i, nil
			}
		} else {
			if n >= 4 {
				kind = shortKind(first << (64 - 8*n))
			}
			if kind == kindOther && !isTokenOnly(b[i:i+n]) {
				return i, nil
			}
		}

		f := &r.fields[r.numFields&(MaxFields-1)]
		*f = fieldSpan{uint16(i), uint16(i + n), uint16(p), uint16(e)}
		if kind > kindHost && kind < numFieldKinds && r.first[kind] == 0 {
			r.first[kind] = r.numFields + 1
		} else if kind != kindOther {
			if err := r.noteField(b, f, kind); err != nil {
				return q, err
			}
		}
		r.numFields++
		i = q + 2
	}
	return i, nil
}

// load returns the eight octets at offset i from base, the first of them lowest
// on every machine. The caller has checked that they are there.
func load(base unsafe.Pointer, i int) uint64 {
	return binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(base, i))[:])
}

// hasColon returns a word whose lowest set bit lies in the first ":" of w, or 0
// if there is none.
func hasColon(w uint64) uint64 {
	x := w ^ ':'*ones
	return (x - ones) &^ x & highs
}

// suspects returns a word whose lowest set bit lies at or before the first octet
// of w that is below 0x20 or is DEL, or 0 if there is none. It is cheaper than
// controls, and may point at an octet that is neither.
func suspects(w uint64) uint64 {
	return ((w - 0x20*ones) | (w + ones)) &^ w & highs
}
