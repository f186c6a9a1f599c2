package dialect

import "fmt"

// An Era is a way to talk to a server. The zero Era means that [Ask] finds out.
type Era uint8

const (
	// 2026-07-28: no session, each request has _meta and the header fields that repeat it.
	Modern Era = iota + 1
	Legacy     // 2025-11-25 and earlier: initialize, Mcp-Session-Id, GET for the stream
	Plain      // not MCP: a GET of the URL returns an event stream
)

// The revisions that Ask requests by default.
const (
	ModernRevision = "2026-07-28"
	LegacyRevision = "2025-11-25"
)

var eraNames = [...]string{"", "modern", "legacy", "plain"}

// String returns modern, legacy or plain; empty for the zero Era.
func (e Era) String() string {
	if int(e) < len(eraNames) {
		return eraNames[e]
	}
	return fmt.Sprintf("era %d", uint8(e))
}

// ParseEra returns the Era with that String. Empty and "auto" are the zero Era.
func ParseEra(s string) (Era, error) {
	if s == "auto" {
		return 0, nil
	}
	for e, name := range eraNames {
		if s == name {
			return Era(e), nil
		}
	}
	return 0, fmt.Errorf("dialect: era %q is not one of modern, legacy, plain, auto", s)
}

// MarshalText returns the text of String.
func (e Era) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText parses text with ParseEra.
func (e *Era) UnmarshalText(text []byte) (err error) {
	*e, err = ParseEra(string(text))
	return err
}
