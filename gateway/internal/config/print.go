package config

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/names"
)

// Print returns servers as a file has them, with the settings that are not the default and without
// secrets: in place of values of headers, of the environment and of credentials, and of what looks
// like a secret in arguments and URLs, it has "[redacted]". Where a file has variables in a command
// or URL, so has the result.
func Print(servers []Server) []byte {
	var out bytes.Buffer
	out.WriteString("{\n  \"mcpServers\": {")
	for i := range servers {
		if i > 0 {
			out.WriteByte(',')
		}
		name, _ := json.Marshal(servers[i].Name)
		text, _ := servers[i].MarshalJSON() // all of it is plain
		out.WriteString("\n    " + string(name) + ": ")
		_ = json.Indent(&out, text, "    ", "  ")
	}
	out.WriteString("\n  }\n}\n")
	return out.Bytes()
}

// printed is a server as it is printed.
type printed struct {
	Command string            `json:"command,omitempty"`
	Args    []string          `json:"args,omitempty"`
	Env     map[string]Secret `json:"env,omitempty"`
	Cwd     string            `json:"cwd,omitempty"`
	Type    Transport         `json:"type,omitempty"`
	URL     string            `json:"url,omitempty"`
	Headers map[string]Secret `json:"headers,omitempty"`
	Mooring *printedSettings  `json:"x-mooring,omitempty"`
}

type printedSettings struct {
	Session        Session             `json:"session,omitempty"`
	Lists          Lists               `json:"lists,omitempty"`
	Era            Era                 `json:"era,omitempty"`
	Path           string              `json:"path,omitempty"`
	Concurrency    int                 `json:"concurrency,omitempty"`
	Queue          *int                `json:"queue,omitempty"`
	QueueTimeout   string              `json:"queueTimeout,omitempty"`
	Sessions       int                 `json:"sessions,omitempty"`
	Idle           string              `json:"idle,omitempty"`
	StartTimeout   string              `json:"startTimeout,omitempty"`
	WhenDown       WhenDown            `json:"whenDown,omitempty"`
	Tools          []string            `json:"tools,omitempty"`
	Scopes         []string            `json:"scopes,omitempty"`
	ToolScopes     map[string][]string `json:"toolScopes,omitempty"`
	ForwardHeaders []string            `json:"forwardHeaders,omitempty"`
	Credentials    *printedCredentials `json:"credentials,omitempty"`
}

type printedCredentials struct {
	Grant            Grant      `json:"grant"`
	TokenEndpoint    string     `json:"tokenEndpoint"`
	ClientID         string     `json:"clientId"`
	ClientAuth       ClientAuth `json:"clientAuth,omitempty"`
	ClientSecret     Secret     `json:"clientSecret,omitempty"`
	ClientSecretFile string     `json:"clientSecretFile,omitempty"`
	Scope            string     `json:"scope,omitempty"`
	Resource         string     `json:"resource,omitempty"`
	Audience         string     `json:"audience,omitempty"`
}

// MarshalJSON returns the server as Print does, without its name.
func (s Server) MarshalJSON() ([]byte, error) {
	w := s.written
	if w == nil {
		w = &written{command: s.Command, dir: s.Dir, url: s.URL, args: s.Args}
	}
	p := printed{
		Command: redactURL(w.command), Args: redactArgs(w.args), Cwd: w.dir, URL: redactURL(w.url),
		Env: make(map[string]Secret), Headers: make(map[string]Secret),
	}
	for _, v := range s.Env {
		p.Env[v.Name] = redactedOr(v.Value)
	}
	for _, h := range s.Headers {
		p.Headers[h.Name] = redactedOr(h.Value)
	}
	if s.Transport != Stdio {
		p.Type = s.Transport
	}
	p.Mooring = s.printedSettings()
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false) // & and > are common in URLs and commands
	err := e.Encode(p)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

// redactedOr returns a secret that is not empty, so that one that is looks alike.
func redactedOr(s Secret) Secret {
	if s == "" {
		return " "
	}
	return s
}

// printedSettings returns the settings that are not the default, nil if there are none.
func (s *Server) printedSettings() *printedSettings {
	plain := Server{Name: s.Name, Transport: s.Transport, Settings: Settings{Queue: -1}}
	plain.setDefaults()
	d := &plain.Settings
	p := &printedSettings{
		Session: unless(s.Session, d.Session), Lists: unless(s.Lists, d.Lists), Era: unless(s.Era, d.Era), Path: unless(s.Path, d.Path),
		Concurrency: unless(s.Concurrency, d.Concurrency), Sessions: unless(s.Sessions, d.Sessions), WhenDown: unless(s.WhenDown, d.WhenDown),
		QueueTimeout: unlessTime(s.QueueTimeout, d.QueueTimeout), Idle: unlessTime(s.Idle, d.Idle), StartTimeout: unlessTime(s.StartTimeout, d.StartTimeout),
		Tools: s.Tools, Scopes: s.Scopes, ForwardHeaders: s.ForwardHeaders, ToolScopes: scopeMap(s.ToolScopes),
	}
	isPlain := s.Queue == d.Queue
	if !isPlain {
		p.Queue = &s.Queue
	}
	if c := &s.Credentials; c.Grant != GrantNone {
		isPlain = false
		w := s.written.credentials // there are none on command lines
		p.Credentials = &printedCredentials{
			Grant: c.Grant, TokenEndpoint: redactURL(w["tokenEndpoint"]), ClientID: w["clientId"], ClientAuth: unless(c.ClientAuth, ClientAuthBasic),
			ClientSecret: c.ClientSecret, ClientSecretFile: w["clientSecretFile"], Scope: w["scope"], Resource: redactURL(w["resource"]), Audience: w["audience"],
		}
	}
	if text, err := json.Marshal(p); isPlain && err == nil && string(text) == "{}" {
		return nil
	}
	return p
}

func unless[T comparable](value, standard T) (zero T) {
	if value == standard {
		return zero
	}
	return value
}

func unlessTime(value, standard time.Duration) string {
	if value == standard {
		return ""
	}
	return value.String()
}

func scopeMap(list []names.Scope) map[string][]string {
	m := make(map[string][]string, len(list))
	for _, s := range list {
		m[s.Pattern] = s.Scopes
	}
	return m
}
