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

// kindOf looks a field name up, ignoring case. The name consists of token
// octets; among these, an octet with bit 0x20 set equals a letter or "-" only
// if it is that letter, in either case, or "-" itself. So names are compared
// in whole words, the last of which may overlap the one before.
func kindOf(name []byte) fieldKind {
	n := len(name)
	if n < 8 {
		if n < 4 {
			return kindOther
		}
		w := uint64(binary.LittleEndian.Uint32(name)) | uint64(binary.LittleEndian.Uint32(name[n-4:]))<<32 | fold
		switch {
		case n == 4 && w == word("hosthost"):
			return kindHost
		case n != 6:
		case w == word("accecept"):
			return kindAccept
		case w == word("origigin"):
			return kindOrigin
		case w == word("expepect"):
			return kindExpect
		}
		return kindOther
	}
	first := binary.LittleEndian.Uint64(name) | fold
	last := binary.LittleEndian.Uint64(name[n-8:]) | fold
	switch n {
	case 8:
		if first == word("mcp-name") {
			return kindMCPName
		}
	case 10:
		switch {
		case first == word("mcp-meth") && last == word("p-method"):
			return kindMCPMethod
		case first == word("connecti") && last == word("nnection"):
			return kindConnection
		case first == word("user-age") && last == word("er-agent"):
			return kindUserAgent
		}
	case 12:
		if first == word("content-") && last == word("ent-type") {
			return kindContentType
		}
	case 13:
		switch {
		case first == word("authoriz") && last == word("rization"):
			return kindAuthorization
		case first == word("last-eve") && last == word("event-id"):
			return kindLastEventID
		}
	case 14:
		switch {
		case first == word("content-") && last == word("t-length"):
			return kindContentLength
		case first == word("mcp-sess") && last == word("ssion-id"):
			return kindMCPSessionID
		}
	case 15:
		if first == word("accept-e") && last == word("encoding") {
			return kindAcceptEncoding
		}
	case 17:
		if first == word("transfer") && last == word("encoding") && name[8] == '-' {
			return kindTransferEncoding
		}
	case 20:
		if first == word("mcp-prot") && last == word("-version") &&
			binary.LittleEndian.Uint64(name[8:])|fold == word("ocol-ver") {
			return kindMCPProtocolVersion
		}
	}
	if first == word("mcp-para") && n >= 10 && name[8]|0x20 == 'm' && name[9] == '-' {
		return kindMCPParam
	}
	return kindOther
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
