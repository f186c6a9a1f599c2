package hop

import (
	"encoding/base64"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// modernVersion is the first revision without sessions. Revisions are dates and sort as text.
const modernVersion = "2026-07-28"

const (
	maxRetryAfter = time.Hour
	maxSessionID  = 1024
)

// reserved reports whether requests have the field for the connection's or MCP's sake, so that no
// configuration and no client may set it.
func reserved(name string) bool {
	switch name = textproto.CanonicalMIMEHeaderKey(name); name {
	case "Host", "Origin", "Content-Length", "Content-Type", "Content-Encoding", "Accept", "Accept-Encoding",
		"Last-Event-Id", "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect":
		return true
	}
	return strings.HasPrefix(name, "Mcp-")
}

// forbidden reports whether the field of a message must not go up: a client's credentials, and what
// is reserved.
func forbidden(name string) bool {
	switch textproto.CanonicalMIMEHeaderKey(name) {
	case "Authorization", "Cookie":
		return true
	}
	return reserved(name)
}

// validField reports whether a header field may have the name and the value (RFC 9110, section 5).
func validField(name, value string) bool {
	if name == "" || strings.TrimSpace(value) != value {
		return false
	}
	for i := range len(name) {
		if c := name[i]; !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

const base64Prefix, base64Suffix = "=?base64?", "?="

// fieldText returns s as the value of Mcp-Name or Mcp-Param (SEP-2243): as it is, or in base64 if a
// field cannot have it, or if it looks like base64.
func fieldText(s string) string {
	plain := strings.TrimSpace(s) == s && !strings.HasPrefix(s, base64Prefix)
	for i := 0; plain && i < len(s); i++ {
		plain = s[i] >= ' ' && s[i] <= '~'
	}
	if plain {
		return s
	}
	return base64Prefix + base64.StdEncoding.EncodeToString([]byte(s)) + base64Suffix
}

// validSessionID reports whether s may be a session ID: visible ASCII characters, and not too many.
func validSessionID(s string) bool {
	for i := range len(s) {
		if s[i] < 0x21 || s[i] > 0x7e {
			return false
		}
	}
	return s != "" && len(s) <= maxSessionID
}

// keepAlive returns what the Keep-Alive field of h announces: after how long the server closes an
// idle connection, and how many more requests it takes. A negative value means that it does not
// say.
func keepAlive(h http.Header) (timeout time.Duration, requests int) {
	timeout, requests = -1, -1
	for _, v := range h["Keep-Alive"] {
		for part := range strings.SplitSeq(v, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			n, err := strconv.Atoi(strings.Trim(value, `"`))
			if err != nil || n < 0 || n > 1<<20 {
				continue
			}
			switch strings.ToLower(name) {
			case "timeout":
				timeout = time.Duration(n) * time.Second
			case "max":
				requests = n
			}
		}
	}
	return timeout, requests
}

// retryAfter returns the value of Retry-After, seconds or a date, within bounds; 0 if there is
// none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if v == "" {
		return 0
	}
	if n, err := strconv.Atoi(v); err == nil {
		return time.Duration(min(max(n, 0), int(maxRetryAfter/time.Second))) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return min(max(t.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

// redirect returns where a response sends its request, which keeps its method, and whether the link
// may remember that. It returns nil if the response is not a redirect, or one that must not be
// followed: to another origin, which must not see the credentials, or with another method.
func redirect(from *url.URL, resp *http.Response) (to *url.URL, permanent bool) {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusPermanentRedirect:
		permanent = true
	case http.StatusFound, http.StatusTemporaryRedirect:
	default:
		return nil, false
	}
	location := resp.Header.Get("Location")
	if location == "" || len(location) > 4096 {
		return nil, false
	}
	to, err := from.Parse(location)
	if err != nil || !sameOrigin(from, to) || to.User != nil {
		return nil, false
	}
	to.Fragment = ""
	return to, permanent
}

func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	switch p := u.Port(); {
	case p != "":
		return p
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}
