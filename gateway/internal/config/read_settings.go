package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"github.com/mooring-mcp/mooring/gateway/internal/names"
)

// settings are the members of x-mooring.
var settings = map[string]func(sr *serverReader, f field){
	"name": func(sr *serverReader, f field) {
		if s, ok := f.str(); ok {
			sr.s.Name = s
		}
	},
	"session": func(sr *serverReader, f field) {
		sr.s.Session = oneOf(f.place, SessionShared, SessionPrincipal, SessionClient)
	},
	"lists":        func(sr *serverReader, f field) { sr.s.Lists = oneOf(f.place, ListsShared, ListsPrincipal) },
	"era":          func(sr *serverReader, f field) { sr.s.Era = oneOf(f.place, EraAuto, EraLegacy, EraModern) },
	"whenDown":     func(sr *serverReader, f field) { sr.s.WhenDown = oneOf(f.place, WhenDownList, WhenDownHide) },
	"concurrency":  func(sr *serverReader, f field) { sr.s.Concurrency = f.integer(1, maxConcurrency) },
	"queue":        func(sr *serverReader, f field) { sr.s.Queue = f.integer(0, maxQueue) },
	"queueTimeout": func(sr *serverReader, f field) { sr.s.QueueTimeout = f.duration() },
	"sessions":     func(sr *serverReader, f field) { sr.s.Sessions = f.integer(1, maxSessions) },
	"idle":         func(sr *serverReader, f field) { sr.s.Idle = f.duration() },
	"startTimeout": func(sr *serverReader, f field) { sr.s.StartTimeout = f.duration() },
	"path": func(sr *serverReader, f field) {
		s, ok := f.str()
		if !ok {
			return
		}
		if err := checkPath(s); err != nil {
			f.errorf("%v", err)
			return
		}
		sr.s.Path = s
	},
	"tools": func(sr *serverReader, f field) {
		sr.s.Tools = f.words(names.CheckPattern)
		if _, err := names.Compile(sr.s.Tools); err != nil {
			f.errorf("%v", err)
		}
	},
	"scopes":     func(sr *serverReader, f field) { sr.s.Scopes = f.words(checkScope) },
	"toolScopes": (*serverReader).toolScopes,
	"forwardHeaders": func(sr *serverReader, f field) {
		sr.forward = &f
		for _, name := range f.words(checkForward) {
			name = textproto.CanonicalMIMEHeaderKey(name)
			if slices.Contains(sr.s.ForwardHeaders, name) {
				f.errorf("%s is there twice", name)
				continue
			}
			sr.s.ForwardHeaders = append(sr.s.ForwardHeaders, name)
		}
		slices.Sort(sr.s.ForwardHeaders)
	},
	"credentials": func(sr *serverReader, f field) {
		sr.credentials = &f
		sr.s.written.credentials = make(map[string]string)
		for _, m := range f.fields() {
			if set := credentials[m.name]; set != nil {
				set(&sr.s.Credentials, m)
				sr.s.written.credentials[m.name] = m.n.text
			} else {
				m.errorf("unknown; want one of %s", keys(credentials))
			}
		}
	},
}

// credentials are the members of x-mooring.credentials.
var credentials = map[string]func(c *Credentials, f field){
	"grant": func(c *Credentials, f field) {
		c.Grant = oneOf(f.place, GrantClientCredentials, GrantTokenExchange)
	},
	"tokenEndpoint": func(c *Credentials, f field) {
		c.TokenEndpoint = f.text()
		if err := checkTokenEndpoint(c.TokenEndpoint); c.TokenEndpoint != "" && err != nil {
			f.errorf("%v", err)
		}
	},
	"clientId": func(c *Credentials, f field) { c.ClientID = f.text() },
	"clientAuth": func(c *Credentials, f field) {
		c.ClientAuth = oneOf(f.place, ClientAuthBasic, ClientAuthPost, ClientAuthNone)
	},
	"clientSecret": func(c *Credentials, f field) {
		switch e, ok := f.expanded(); {
		case !ok:
		case !e.whole || len(e.variables) != 1:
			f.errorf("want ${VAR} with the name of an environment variable that is not empty, or clientSecretFile: a secret in the file is seen by all who see the file")
		default:
			c.ClientSecret = Secret(e.text)
		}
	},
	"clientSecretFile": func(c *Credentials, f field) { c.ClientSecretFile = f.text() },
	"scope": func(c *Credentials, f field) {
		c.Scope = f.text()
		for _, scope := range strings.Split(c.Scope, " ") {
			if err := checkScope(scope); c.Scope != "" && err != nil {
				f.errorf("%v", err)
				return
			}
		}
	},
	"resource": func(c *Credentials, f field) {
		c.Resource = f.text()
		if u, err := url.Parse(c.Resource); c.Resource != "" && (err != nil || u.Scheme == "" || u.Fragment != "") {
			f.errorf("want an absolute URI without a fragment (RFC 8707)")
		}
	},
	"audience": func(c *Credentials, f field) { c.Audience = f.text() },
}

// text returns a string that is not empty, with its variables replaced.
func (f field) text() string {
	e, ok := f.expanded()
	if ok && e.text == "" {
		f.errorf("it is empty")
	}
	return e.text
}

// settings reads the value of x-mooring.
func (sr *serverReader) settings(p place) {
	for _, f := range p.fields() {
		if set := settings[f.name]; set != nil {
			set(sr, f)
		} else {
			f.errorf("unknown; want one of %s", keys(settings))
		}
	}
}

// keys returns the names of a table in order, for a message.
func keys[V any](m map[string]V) string {
	list := make([]string, 0, len(m))
	for name := range m {
		list = append(list, name)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func (sr *serverReader) toolScopes(f field) {
	for _, m := range f.fields() {
		rule := names.Scope{Pattern: m.name, Scopes: m.words(checkScope)}
		if _, err := names.CompileScopes([]names.Scope{rule}); err != nil {
			m.errorf("%v", err)
			continue
		}
		sr.s.ToolScopes = append(sr.s.ToolScopes, rule)
	}
	if _, err := names.CompileScopes(sr.s.ToolScopes); err != nil {
		f.errorf("%v", err)
	}
}

// checkCredentials checks the members of x-mooring.credentials together, and against the others.
func (sr *serverReader) checkCredentials() {
	s, p := &sr.s, sr.credentials
	c := &s.Credentials
	for _, m := range [...]struct{ name, value string }{{"grant", string(c.Grant)}, {"tokenEndpoint", c.TokenEndpoint}, {"clientId", c.ClientID}} {
		if m.value == "" && !p.has(m.name) {
			p.errorf("%s is missing", m.name)
		}
	}
	secrets := 0
	for _, name := range []string{"clientSecret", "clientSecretFile"} {
		if p.has(name) {
			secrets++
		}
	}
	switch {
	case secrets == 2:
		p.errorf("there are clientSecret and clientSecretFile; want one")
	case secrets == 0 && c.ClientAuth != ClientAuthNone:
		p.errorf(`clientSecret or clientSecretFile is missing; a client without a secret has "clientAuth": "none"`)
	case secrets == 1 && c.ClientAuth == ClientAuthNone:
		p.errorf(`there is a secret, and "clientAuth" is "none"`)
	case c.ClientAuth == ClientAuthNone && c.Grant == GrantClientCredentials:
		p.errorf("client_credentials needs a secret")
	}
	if c.Grant == GrantTokenExchange && s.Session == SessionShared {
		p.errorf("with token_exchange each principal has a token, which cannot be used in a session that is shared by all")
	}
	if slices.ContainsFunc(s.Headers, func(h Header) bool { return h.Name == "Authorization" }) {
		p.errorf("there is an Authorization field in headers too")
	}
}

// has reports whether an object has a member.
func (p place) has(name string) bool {
	return slices.ContainsFunc(p.n.members, func(m member) bool { return m.name == name })
}

// checkScope checks a scope: "scope-token" of RFC 6749, section 3.3.
func checkScope(s string) error {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return errors.New("a scope has printable characters of ASCII without spaces, quotes and backslashes")
		}
	}
	if s == "" {
		return errors.New("a scope is empty")
	}
	return nil
}

// checkForward checks the name of a field that may go from a client's request to an upstream. What
// authenticates the client to the gateway never goes up.
func checkForward(name string) error {
	if err := checkFieldName(name); err != nil {
		return err
	}
	switch name = textproto.CanonicalMIMEHeaderKey(name); name {
	case "Authorization", "Cookie", "Origin":
		return fmt.Errorf("%s is between a client and the gateway, and is never forwarded", name)
	}
	if isReserved(name) {
		return fmt.Errorf("%s: %w", name, errReserved)
	}
	return nil
}

// checkPath checks a path of the gateway's own.
func checkPath(s string) error {
	rest, ok := strings.CutPrefix(s, "/")
	if !ok || rest == "" || len(s) > 256 {
		return errors.New("want a path that begins with /, of at most 256 characters")
	}
	for segment := range strings.SplitSeq(rest, "/") {
		if strings.Trim(segment, ".") == "" {
			return errors.New("a segment of the path is empty, or only dots")
		}
		for i := range len(segment) {
			if c := segment[i]; !isAlnum(c) && strings.IndexByte("-._~", c) < 0 {
				return errors.New("a path has letters and digits of ASCII, and / - . _ ~")
			}
		}
	}
	return nil
}

// checkTokenEndpoint checks a URL that is sent secrets. The error has nothing of it.
func checkTokenEndpoint(s string) error {
	if err := checkURL(s); err != nil {
		return err
	}
	u, err := url.Parse(s)
	if err != nil {
		return errors.New("want a URL") // checkURL has parsed it
	}
	ip, err := netip.ParseAddr(u.Hostname())
	isLoopback := u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
	if u.Scheme != "https" && !isLoopback {
		return errors.New("want https:// because a secret is sent there")
	}
	return nil
}
