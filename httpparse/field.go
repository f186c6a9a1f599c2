package httpparse

import "encoding/binary"

// A fieldKind is a field name that ParseRequest knows.
type fieldKind uint8

const (
	kindOther fieldKind = iota

	// Judged as soon as their line is complete: keep these first.
	kindConnection
	kindContentLength
	kindExpect
	kindHost

	// Judged at the end of the head.
	kindTransferEncoding

	// Handed to the caller.
	kindAccept
	kindAcceptEncoding
	kindAuthorization
	kindContentType
	kindLastEventID
	kindOrigin
	kindUserAgent
	kindMCPMethod
	kindMCPName
	kindMCPProtocolVersion
	kindMCPSessionID
	numFieldKinds

	// Never kept in Request.first: there may be many.
	kindMCPParam
)

const (
	mcpKinds = 1<<kindMCPMethod | 1<<kindMCPName | 1<<kindMCPProtocolVersion | 1<<kindMCPSessionID
	// The fields whose repetition the caller must refuse.
	singleKinds = mcpKinds | 1<<kindOrigin | 1<<kindContentType | 1<<kindAuthorization | 1<<kindLastEventID
)

// kindOf looks a field name up, ignoring case, in whole words.
func kindOf(name []byte) fieldKind {
	n := len(name)
	switch {
	case n < 4:
		return kindOther
	case n < 8:
		w := uint64(binary.LittleEndian.Uint32(name)) | uint64(binary.LittleEndian.Uint32(name[n-4:]))<<(8*n-32)
		return shortKind(w << (64 - 8*n))
	}
	first, last := binary.LittleEndian.Uint64(name), binary.LittleEndian.Uint64(name[n-8:])
	if n < 16 {
		return longKind(n, first, last>>(128-8*n), last)
	}
	return longKind(n, first, binary.LittleEndian.Uint64(name[8:]), last)
}

// shortKind looks a name of four to seven octets up; w ends in it, and is zero
// before.
func shortKind(w uint64) fieldKind {
	switch {
	case matches(w, "\x00\x00\x00\x00host"):
		return kindHost
	case matches(w, "\x00\x00accept"):
		return kindAccept
	case matches(w, "\x00\x00origin"):
		return kindOrigin
	case matches(w, "\x00\x00expect"):
		return kindExpect
	}
	return kindOther
}

// longKind looks a name of n octets up, eight or more; first and last are the
// words it begins and ends with, second that after first, of which only octets
// of the name count.
func longKind(n int, first, second, last uint64) fieldKind {
	switch n {
	case 8:
		if matches(first, "mcp-name") {
			return kindMCPName
		}
	case 10:
		switch {
		case matches(first, "mcp-meth") && matches(last, "p-method"):
			return kindMCPMethod
		case matches(first, "connecti") && matches(last, "nnection"):
			return kindConnection
		case matches(first, "user-age") && matches(last, "er-agent"):
			return kindUserAgent
		}
	case 12:
		if matches(first, "content-") && matches(last, "ent-type") {
			return kindContentType
		}
	case 13:
		switch {
		case matches(first, "authoriz") && matches(last, "rization"):
			return kindAuthorization
		case matches(first, "last-eve") && matches(last, "event-id"):
			return kindLastEventID
		}
	case 14:
		switch {
		case matches(first, "content-") && matches(last, "t-length"):
			return kindContentLength
		case matches(first, "mcp-sess") && matches(last, "ssion-id"):
			return kindMCPSessionID
		}
	case 15:
		if matches(first, "accept-e") && matches(last, "encoding") {
			return kindAcceptEncoding
		}
	case 17:
		if matches(first, "transfer") && matches(last, "encoding") && byte(second) == '-' {
			return kindTransferEncoding
		}
	case 20:
		if matches(first, "mcp-prot") && matches(last, "-version") &&
			matches(second, "ocol-ver") {
			return kindMCPProtocolVersion
		}
	}
	if matches(first, "mcp-para") && n >= 10 && byte(second)|0x20 == 'm' && byte(second>>8) == '-' {
		return kindMCPParam
	}
	return kindOther
}

// matches reports whether w spells s, eight octets of small letters, "-" and
// NUL, ignoring the case of letters. Bit 0x20, which is their case, is set in w
// only where s has a letter: elsewhere another octet would pass, as CR for "-".
func matches(w uint64, s string) bool {
	c := word(s)
	return w|(c&(0x40*ones))>>1 == c
}

// word packs the first eight octets of s; the compiler folds it to a constant.
func word(s string) uint64 {
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// equalFold reports whether a and b are equal but for the case of letters.
func equalFold[T string | []byte](a []byte, b T) bool {
	if len(a) != len(b) {
		return false
	}
	for i, c := range a {
		if lower(c) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}
