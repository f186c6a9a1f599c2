package dialect

import "fmt"

// An Era is a way in which a server is spoken to. The zero Era is none: [Ask] then finds out.
type Era uint8

const (
	Modern Era = iota + 1 // 2026-07-28: no session, each request with _meta and the header fields that repeat it
	Legacy                // 2025-11-25 and before: initialize, Mcp-Session-Id, GET for the stream
	Plain                 // no MCP: GET of the URL is an event stream
)

// The revisions that Ask asks for unless told otherwise.
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

// ParseEra returns the Era that String calls s. Empty and "auto" are the zero Era.
func ParseEra(s string) (Era, error) {
	if s == "auto" {
		return 0, nil
	}
	for e, name := range eraNames {
		if s == name {
			return Era(e), nil
		}
	}
	return 0, fmt.Errorf("dialect: era %q is none of modern, legacy, plain, auto", s)
}

// MarshalText returns what String does.
func (e Era) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText is ParseEra.
func (e *Era) UnmarshalText(text []byte) (err error) {
	*e, err = ParseEra(string(text))
	return err
}
