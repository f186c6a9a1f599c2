package dialect

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// A Target is a server and how it is spoken to. Ask returns one that is ready. It can be sent to another process as JSON; there, and after a field was changed, Prepare makes it ready.
//
// While no field is changed, its methods may be called from any goroutine.
type Target struct {
	URL      string         `json:"url"`
	Addr     netip.AddrPort `json:"addr"` // where its connections go; what the host of the URL resolved to and where somebody listens
	Era      Era            `json:"era"`
	Revision string         `json:"revision,omitempty"` // what is spoken, not what was asked for; empty in Plain
	Name     string         `json:"name,omitempty"`     // of serverInfo, as Version; the server's own words
	Version  string         `json:"version,omitempty"`

	Tools       []string `json:"tools,omitempty"` // the names of tools/list, in its order; the server's own words
	ListChanged bool     `json:"listChanged"`     // the server says that it tells of changes of its list of tools
	Sessions    bool     `json:"sessions"`        // initialize was answered with an Mcp-Session-Id: each client must send its own

	// Header has lines that each request gets besides, "Authorization: Bearer …", without line ends.
	Header []string `json:"header,omitempty"`

	// Heads up to the fields that differ from request to request. First is that of initialize, which goes before a revision is agreed and does not name one.
	first, post, get, del []byte
	meta                  []byte // the member _meta, in Modern
}

// userAgent is what the requests call themselves.
const userAgent = "mooring-bench"

const clientInfo = `{"name":"mooring-bench","version":"1.0.0"}`

// firstWithField is the first revision whose requests carry MCP-Protocol-Version. Revisions are dates and compare as strings.
const firstWithField = "2025-06-18"

// Prepare makes the constant parts of the requests from URL, Era, Revision and Header. It refuses what could not be sent as it is: a URL that is not http, a header line that breaks out of its line.
func (t *Target) Prepare() error {
	u, err := parseURL(t.URL)
	if err != nil {
		return err
	}
	fields, err := headerFields(t.Header)
	if err != nil {
		return err
	}
	if t.Era == Plain {
		t.Revision = ""
	} else if !validRevision(t.Revision) {
		return fmt.Errorf("dialect: revision %.40q is no date", t.Revision)
	}
	common := " " + u.RequestURI() + " HTTP/1.1\r\nHost: " + u.Host + "\r\nUser-Agent: " + userAgent + "\r\n" + fields
	version := ""
	if t.Revision >= firstWithField {
		version = "MCP-Protocol-Version: " + t.Revision + "\r\n"
	}
	t.first, t.post, t.get, t.del, t.meta = nil, nil, nil, nil, nil
	switch t.Era {
	case Modern:
		t.meta = []byte(`"_meta":{"io.modelcontextprotocol/protocolVersion":"` + t.Revision + `","io.modelcontextprotocol/clientInfo":` + clientInfo + `,"io.modelcontextprotocol/clientCapabilities":{}}`)
	case Legacy:
		t.get = []byte("GET" + common + "Accept: text/event-stream\r\n" + version)
		t.del = []byte("DELETE" + common + version)
	case Plain:
		t.get = []byte("GET" + common + "Accept: text/event-stream\r\n")
		return nil
	default:
		return errors.New("dialect: no era")
	}
	post := "POST" + common + "Accept: application/json, text/event-stream\r\nContent-Type: application/json\r\n"
	t.first, t.post = []byte(post), []byte(post+version)
	return nil
}

// parseURL parses a URL that can stand in a request line as it is.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("dialect: %w", err)
	}
	switch {
	case u.Scheme == "https":
		return nil, fmt.Errorf("dialect: %s: https is not spoken; give the address of the plain HTTP server behind the proxy", u.Redacted())
	case u.Scheme != "http" || u.Opaque != "":
		return nil, fmt.Errorf("dialect: %q is no http URL", u.Redacted())
	case u.Hostname() == "":
		return nil, fmt.Errorf("dialect: %q has no host", u.Redacted())
	case u.User != nil:
		return nil, fmt.Errorf("dialect: %s: credentials do not belong in the URL; send an Authorization header field", u.Redacted())
	case !visible(u.Host) || !visible(u.RequestURI()) || strings.Contains(u.Host, "%"):
		return nil, fmt.Errorf("dialect: %q has characters that a request cannot carry; escape them", raw)
	}
	u.Fragment = ""
	return u, nil
}

// ownFields are written by this package; a second one of them would make the request ambiguous.
var ownFields = [...]string{"host", "user-agent", "accept", "content-type", "content-length", "transfer-encoding", "connection", "expect", "upgrade", "te", "trailer",
	"mcp-protocol-version", "mcp-session-id", "mcp-method", "mcp-name", "last-event-id"}

// headerFields returns lines as they stand in a head, each with its line end.
func headerFields(lines []string) (string, error) {
	var b strings.Builder
	for i, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		// The value is not told in errors: it may be a secret.
		if !ok || !isToken(name) {
			return "", fmt.Errorf("dialect: header line %d is not of the form Name: value", i+1)
		}
		for _, own := range ownFields {
			if strings.EqualFold(name, own) {
				return "", fmt.Errorf("dialect: header line %d: %s is set by the requests themselves", i+1, name)
			}
		}
		for _, c := range []byte(value) {
			if c < ' ' && c != '\t' || c == 0x7f {
				return "", fmt.Errorf("dialect: header line %d: %s has a control character in its value", i+1, name)
			}
		}
		b.WriteString(name + ": " + value + "\r\n")
	}
	return b.String(), nil
}

// isToken reports whether s is a token of RFC 9110, section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// visible reports whether s has visible ASCII characters only, and any.
func visible[T string | []byte](s T) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return len(s) > 0
}

// validRevision reports whether s has the form of a date, which is all that is asked of a revision.
func validRevision(s string) bool {
	if len(s) != len("2006-01-02") {
		return false
	}
	for i := range len(s) {
		if dash := i == 4 || i == 7; dash != (s[i] == '-') || !dash && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}
