package httpparse

// A fieldKind is a field name that ParseRequest recognizes.
type fieldKind uint8

const (
	kindOther fieldKind = iota

	// These are judged as soon as their line is complete. Keep them first.
	kindConnection
	kindContentLength
	kindExpect
	kindHost

	// These are judged at the end of the head.
	kindTransferEncoding

	// The caller gets these.
	kindAccept
	kindAcceptEncoding
	kindAuthorization
	kindContentEncoding
	kindContentType
	kindLastEventID
	kindOrigin
	kindUserAgent
	kindMCPMethod
	kindMCPName
	kindMCPProtocolVersion
	kindMCPSessionID
	numFieldKinds

	// These are never kept in Request.first, because there may be many.
	kindMCPParam
)

const (
	mcpKinds = 1<<kindMCPMethod | 1<<kindMCPName | 1<<kindMCPProtocolVersion | 1<<kindMCPSessionID
	// The caller must refuse a repetition of these.
	singleKinds = mcpKinds | 1<<kindOrigin | 1<<kindContentType | 1<<kindAuthorization | 1<<kindLastEventID
)

// kindNames are the names of the kinds, in lower case.
var kindNames = [numFieldKinds]string{
	kindConnection:         "connection",
	kindContentLength:      "content-length",
	kindExpect:             "expect",
	kindHost:               "host",
	kindTransferEncoding:   "transfer-encoding",
	kindAccept:             "accept",
	kindAcceptEncoding:     "accept-encoding",
	kindAuthorization:      "authorization",
	kindContentEncoding:    "content-encoding",
	kindContentType:        "content-type",
	kindLastEventID:        "last-event-id",
	kindOrigin:             "origin",
	kindUserAgent:          "user-agent",
	kindMCPMethod:          "mcp-method",
	kindMCPName:            "mcp-name",
	kindMCPProtocolVersion: "mcp-protocol-version",
	kindMCPSessionID:       "mcp-session-id",
}

const paramPrefix = "mcp-param-"

// kindOf looks a field name up, ignoring case. parseWholeLines does the same in
// whole words, for the lines that it accepts.
func kindOf(name []byte) fieldKind {
	for k := kindOther + 1; k < numFieldKinds; k++ {
		if equalFold(name, kindNames[k]) {
			return k
		}
	}
	if len(name) >= len(paramPrefix) && equalFold(name[:len(paramPrefix)], paramPrefix) {
		return kindMCPParam
	}
	return kindOther
}

// equalFold reports whether a and b are equal except for the case of letters.
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
