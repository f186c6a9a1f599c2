package dialect

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// A Target is a server and how to talk to it. Ask returns one that is ready to use. It can be sent
// to another process as JSON; Prepare makes it ready there, and after a field was changed.
//
// As long as no field is changed, its methods may be called from any goroutine.
type Target struct {
	URL string `json:"url"`
	// Addr is where connections go: an address of the host of URL that accepted a connection.
	Addr netip.AddrPort `json:"addr"`
	Era  Era            `json:"era"`
	// Revision is the one in use, not the one requested. It is empty in Plain.
	Revision string `json:"revision,omitempty"`
	// Name and Version are from serverInfo: the server's own text.
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`

	// Tools are the names in tools/list, in its order: the server's own text.
	Tools []string `json:"tools,omitempty"`
	// ListChanged says that the server announces notifications of changes of its tool list.
	ListChanged bool `json:"listChanged"`
	// Sessions says that initialize returned an Mcp-Session-Id: each client must send its own.
	Sessions bool `json:"sessions"`

	// Header holds further lines for each request, such as "Authorization: Bearer …", without line
	// ends.
	Header []string `json:"header,omitempty"`

	// Heads up to the fields that differ between requests. first is the head of initialize, which
	// is sent before a revision is agreed on and therefore does not contain one.
	first, post, get, del []byte
	meta                  []byte // the member _meta, in Modern
}

// userAgent is the User-Agent of all requests.
const userAgent = "mooring-bench"

const clientInfo = `{"name":"mooring-bench","version":"1.0.0"}`

// firstWithField is the first revision whose requests carry MCP-Protocol-Version. Revisions are
// dates and compare as strings.
const firstWithField = "2025-06-18"

// Prepare builds the constant parts of the requests from URL, Era, Revision and Header. It rejects
// what cannot be sent unchanged: a URL that is not http, or a header line with a line end in it.
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
		return fmt.Errorf("dialect: revision %.40q is not a date", t.Revision)
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

// parseURL parses a URL that can be used unchanged in a request line.
func parseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("dialect: %w", err)
	}
	switch {
	case u.Scheme == "https":
		return nil, fmt.Errorf("dialect: %s: https is not supported; use the address of the plain HTTP server behind the proxy", u.Redacted())
	case u.Scheme != "http" || u.Opaque != "":
		return nil, fmt.Errorf("dialect: %q is not an http URL", u.Redacted())
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

// ownFields are set by this package; a second one of them would make the request ambiguous.
var ownFields = [...]string{"host", "user-agent", "accept", "content-type", "content-length", "transfer-encoding", "connection", "expect", "upgrade", "te", "trailer",
	"mcp-protocol-version", "mcp-session-id", "mcp-method", "mcp-name", "last-event-id"}

// headerFields returns lines in the form of a head, each with its line end.
func headerFields(lines []string) (string, error) {
	var b strings.Builder
	for i, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		// Errors do not contain the value, which may be a secret.
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

// isToken reports whether s is a token (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// visible reports whether s consists of visible ASCII characters and is not empty.
func visible[T string | []byte](s T) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return len(s) > 0
}

// validRevision reports whether s has the form of a date; nothing more is required of a revision.
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
