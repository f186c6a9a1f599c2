package config

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// redacted is printed in place of a secret.
const redacted = "[redacted]"

// A Secret is a value that must not be printed. Whatever prints, logs or encodes one only shows
// that it is there. A conversion to string returns it.
type Secret string

// String returns "[redacted]", or "" if there is no secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// Format writes what String returns, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText returns what String returns.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue returns what String returns.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// redactArgs returns arguments without what looks like a secret: the argument after, or the rest
// of, one that is named like a secret, as in --api-key x, --token=x and API_KEY=x; the value of a
// header field, as in "Authorization: Bearer x"; and what redactURL takes out of a URL.
func redactArgs(args []string) []string {
	shown := make([]string, len(args))
	next := false
	for i, arg := range args {
		isFlag := strings.HasPrefix(arg, "-")
		name, _, hasValue := cutName(arg)
		switch {
		case next && !isFlag:
			shown[i] = redacted
		case hasValue && namesSecret(name):
			shown[i] = arg[:len(name)+1] + redacted
		default:
			shown[i] = redactURL(arg)
		}
		next = isFlag && !hasValue && namesSecret(arg)
	}
	return shown
}

// cutName cuts NAME=value and Name: value.
func cutName(arg string) (name, value string, ok bool) {
	i := strings.IndexAny(arg, "=:")
	if i <= 0 || strings.ContainsAny(arg[:i], " /") || strings.HasPrefix(arg[i:], "://") {
		return "", "", false
	}
	return arg[:i], arg[i+1:], true
}

// namesSecret reports whether something with this name is likely to be a secret.
func namesSecret(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"key", "token", "secret", "passw", "pwd", "auth", "bearer", "credential", "cookie", "header"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return name == "-h" || name == "-p" || name == "-u"
}

// redactURL returns s without the user information of each URL in it, and from the first query or
// fragment of one on without values.
func redactURL(s string) string {
	var b strings.Builder
	begin := strings.Index(s, "://")
	if begin < 0 {
		return s
	}
	end := len(s)
	if i := strings.IndexAny(s[begin:], "?#"); i >= 0 {
		end = begin + i
	}
	rest, tail := s[:end], s[end:]
	for {
		before, after, found := strings.Cut(rest, "://")
		b.WriteString(before)
		if !found {
			break
		}
		b.WriteString("://")
		if at := strings.LastIndexByte(after[:authorityEnd(after)], '@'); at >= 0 {
			b.WriteString(redacted)
			after = after[at:]
		}
		rest = after
	}
	query, hasQuery := strings.CutPrefix(tail, "?")
	if !hasQuery {
		return b.String()
	}
	query, _, _ = strings.Cut(query, "#")
	separator := "?"
	for pair := range strings.SplitSeq(query, "&") {
		name, _, hasValue := strings.Cut(pair, "=")
		b.WriteString(separator + name)
		if hasValue {
			b.WriteString("=" + redacted)
		}
		separator = "&"
	}
	return b.String()
}

// authorityEnd returns where the authority ends that s begins with (RFC 3986, section 3.2).
func authorityEnd(s string) int {
	if i := strings.IndexAny(s, "/?#"); i >= 0 {
		return i
	}
	return len(s)
}

// String returns the server as a line of JSON, without its secrets.
func (s Server) String() string {
	text, err := json.Marshal(s)
	if err != nil {
		return s.Name // cannot be: all of it is plain
	}
	return string(text)
}

// Format writes what String returns, whatever the verb, so that no dump has secrets.
func (s Server) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue returns what String returns.
func (s Server) LogValue() slog.Value { return slog.StringValue(s.String()) }
