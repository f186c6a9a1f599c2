package config

import (
	"errors"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"github.com/mooring-mcp/mooring/gateway/internal/names"
)

// instead says what to do in place of members of other programs that are ignored.
var instead = map[string]string{
	"envFile":        "; give its variables in env",
	"disabledTools":  `; to deny tools, use x-mooring.tools as in ["!name"]`,
	"excludeTools":   `; to deny tools, use x-mooring.tools as in ["!name"]`,
	"disabled_tools": `; to deny tools, use x-mooring.tools as in ["!name"]`,
	"includeTools":   "; to allow only some tools, use x-mooring.tools",
	"enabledTools":   "; to allow only some tools, use x-mooring.tools",
	"enabled_tools":  "; to allow only some tools, use x-mooring.tools",
	"allowedTools":   "; to allow only some tools, use x-mooring.tools",
	"tools":          "; to allow only some tools, use x-mooring.tools",
	"oauth":          "; for tokens of the upstream, use x-mooring.credentials",
	"auth":           "; for tokens of the upstream, use x-mooring.credentials",
	"headersHelper":  "; for tokens of the upstream, use x-mooring.credentials",
}

// A serverReader reads one server.
type serverReader struct {
	s           Server
	transport   *field // the member that names the transport
	command     *field
	url         *field
	headers     *field
	credentials *field
	forward     *field
}

// server reads a server. It returns false if the server is disabled.
func (r *reader) server(m field) (Server, bool) {
	fields := m.fields()
	for _, f := range fields {
		if f.name == "disabled" && f.bool() || f.name == "enabled" && f.is(isBool) && !f.bool() {
			return Server{}, false
		}
	}
	sr := &serverReader{s: Server{
		Name: m.name, Pos: position(r.src, m.n.offset), written: new(written), Settings: Settings{Queue: -1},
	}}
	for _, f := range fields {
		if f.name == "env" {
			sr.s.Env = readEnv(f.place)
		}
	}
	for _, f := range fields {
		sr.member(f)
	}
	if err := names.CheckServer(sr.s.Name); err != nil {
		m.errorf("%v; rename the server, or give it another name in x-mooring.name%s", err, suggest(sr.s.Name))
	}
	sr.check(m)
	sr.s.setDefaults()
	return sr.s, true
}

// suggest returns a name like another that can be used, as part of a message.
func suggest(name string) string {
	var b strings.Builder
	for _, r := range name {
		switch {
		case b.Len() >= names.MaxServer:
		case r < 0x80 && isAlnum(byte(r)):
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	if name = strings.Trim(b.String(), "-"); name == "" {
		return ""
	}
	return ", such as " + name
}

// member reads a member of a server.
func (sr *serverReader) member(f field) {
	switch f.name {
	case "command":
		sr.command = &f
		if e, ok := sr.expanded(f.place); ok {
			sr.s.Command, sr.s.written.command = e.text, f.n.text
		}
	case "args":
		for _, p := range f.elems() {
			if e, ok := sr.expanded(p); ok {
				sr.s.Args, sr.s.written.args = append(sr.s.Args, e.text), append(sr.s.written.args, p.n.text)
			}
		}
	case "cwd":
		if e, ok := sr.expanded(f.place); ok {
			sr.s.Dir, sr.s.written.dir = e.text, f.n.text
		}
	case "url", "serverUrl", "httpUrl":
		if sr.url != nil {
			f.errorf("there is another URL, as %s", sr.url.name)
			return
		}
		sr.url = &f
		if e, ok := f.expanded(); ok {
			sr.s.URL, sr.s.written.url = e.text, f.n.text
			if err := checkURL(e.text); err != nil {
				f.errorf("%v", err)
			}
		}
	case "headers":
		sr.headers = &f
		sr.s.Headers = readHeaders(f.place)
	case "type", "transport", "transportType":
		sr.readTransport(f)
	case "disabled", "enabled", "env": // read before
	case "x-mooring":
		sr.settings(f.place)
	default:
		if isOurs(f.name) {
			f.errorf("did you mean x-mooring?")
			return
		}
		f.warnf("ignored%s", instead[f.name])
	}
}

// expanded returns a part of a command with its variables replaced. Those that the server has in
// env come first: the program sees them, and according to some documentation it replaces them.
func (sr *serverReader) expanded(p place) (expansion, bool) {
	s, ok := p.str()
	if !ok {
		return expansion{}, false
	}
	return p.expand(s, func(name string) (string, bool) {
		if i, ok := sr.variable(name); ok {
			return string(sr.s.Env[i].Value), true
		}
		return p.r.lookup(name)
	})
}

func (sr *serverReader) variable(name string) (int, bool) {
	return slices.BinarySearchFunc(sr.s.Env, name, func(v Variable, name string) int { return strings.Compare(v.Name, name) })
}

// readTransport reads what a server is reached by, in the spellings of several programs.
func (sr *serverReader) readTransport(f field) {
	if sr.transport != nil {
		f.errorf("the transport is there twice, before as %s", sr.transport.name)
		return
	}
	s, ok := f.str()
	if !ok {
		return
	}
	sr.transport = &f
	switch strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(s)) {
	case "stdio":
		sr.s.Transport = Stdio
	case "http", "streamablehttp":
		sr.s.Transport = HTTP
	case "sse":
		sr.s.Transport = SSE
	default:
		f.errorf("%s is none of stdio, http, streamable-http, sse", quote(s))
	}
}

// check checks what depends on several members, and settles the transport.
func (sr *serverReader) check(m field) {
	s := &sr.s
	switch {
	case sr.command != nil && sr.url != nil:
		m.errorf("there are a command and a URL; want one")
		return
	case sr.command == nil && sr.url == nil:
		if m.n.kind == isObject {
			m.errorf("there is neither a command nor a url")
		}
		return
	case sr.command != nil:
		sr.checkCommand()
	default:
		sr.checkHTTP()
	}
	if sr.credentials != nil {
		sr.checkCredentials()
	}
	if sr.forward != nil {
		for _, h := range s.Headers {
			if slices.Contains(s.ForwardHeaders, h.Name) {
				sr.forward.errorf("%s is in headers too", h.Name)
			}
		}
	}
}

func (sr *serverReader) checkCommand() {
	s := &sr.s
	if s.Transport == HTTP || s.Transport == SSE {
		sr.transport.errorf("a command speaks stdio; for %s, want a url", s.Transport)
	}
	s.Transport = Stdio
	if sr.command.n.kind == isString && sr.command.n.text == "" {
		sr.command.errorf("the command is empty")
	}
	program, _, hasSpace := strings.Cut(s.Command, " ")
	if hasSpace && len(s.Args) == 0 && !strings.ContainsAny(program, `/\`) {
		sr.command.warnf("all of it is the name of a program; arguments belong in args")
	}
	if sr.headers != nil {
		sr.headers.warnf("ignored: the server is a command")
		s.Headers = nil
	}
	for _, f := range []*field{sr.credentials, sr.forward} {
		if f != nil {
			f.errorf("it is for servers with a url; this one is a command")
		}
	}
	sr.credentials, sr.forward = nil, nil
}

func (sr *serverReader) checkHTTP() {
	s := &sr.s
	switch s.Transport {
	case Stdio:
		sr.transport.errorf("stdio needs a command, and there is a url")
	case "":
		s.Transport = HTTP
	}
	s.Args, s.Env, s.Dir = nil, nil, "" // they are for a command
	s.written.args, s.written.dir = nil, ""
	if s.Transport == SSE && s.Era == EraModern {
		sr.url.errorf("the transport sse is of revisions before 2026-07-28, and x-mooring.era is modern")
	}
	if s.StartTimeout != 0 {
		sr.url.errorf("x-mooring.startTimeout is for servers with a command")
	}
}

// readEnv reads the environment of a child. Numbers and booleans are common in pasted files and
// stand for their text; null stands for no variable.
func readEnv(p place) (list []Variable) {
	for _, f := range p.fields() {
		switch {
		case f.name == "" || strings.ContainsAny(f.name, "=\x00"):
			f.errorf("this cannot be the name of a variable")
		case f.n.kind == isNumber || f.n.kind == isBool:
			list = append(list, Variable{f.name, Secret(f.n.text)})
		case f.n.kind == isNull:
		default:
			if e, ok := f.expanded(); ok {
				list = append(list, Variable{f.name, Secret(e.text)})
			}
		}
	}
	slices.SortFunc(list, func(a, b Variable) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// readHeaders reads header fields. The names are canonical then.
func readHeaders(p place) (list []Header) {
	fields := p.fields()
	if len(fields) > maxList {
		p.errorf("there are more than %d fields", maxList)
		return nil
	}
	for _, f := range fields {
		e, ok := f.expanded()
		if !ok {
			continue
		}
		h, err := newHeader(f.name, e.text)
		switch {
		case errors.Is(err, errReserved):
			f.warnf("ignored: %v", err)
		case err != nil:
			f.errorf("%v", err)
		case slices.ContainsFunc(list, func(other Header) bool { return other.Name == h.Name }):
			f.errorf("the field %s is there twice", h.Name)
		default:
			list = append(list, h)
		}
	}
	sortHeaders(list)
	return list
}

func sortHeaders(list []Header) {
	slices.SortFunc(list, func(a, b Header) int { return strings.Compare(a.Name, b.Name) })
}

var errReserved = errors.New("the gateway writes this field itself")

// newHeader returns a header field, errReserved if it is one of the gateway's own, or what is wrong
// with it, without its value.
func newHeader(name, value string) (Header, error) {
	if err := checkFieldName(name); err != nil {
		return Header{}, err
	}
	name = textproto.CanonicalMIMEHeaderKey(name)
	if isReserved(name) {
		return Header{}, errReserved
	}
	value = strings.Trim(value, " \t")
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return Header{}, errors.New("the value has a control character, such as a line end")
		}
	}
	return Header{name, Secret(value)}, nil
}

// checkFieldName checks a field name: "token" of RFC 9110, section 5.6.2.
func checkFieldName(name string) error {
	for i := range len(name) {
		if c := name[i]; !isAlnum(c) && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return errors.New("this cannot be the name of a header field")
		}
	}
	if name == "" {
		return errors.New("the name of a header field is empty")
	}
	return nil
}

// isReserved reports whether a field belongs to one hop, or is of the message that the gateway
// writes. The name is canonical.
func isReserved(name string) bool {
	switch name {
	case "Accept", "Accept-Encoding", "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Expect", "Host",
		"Keep-Alive", "Last-Event-Id", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return strings.HasPrefix(name, "Mcp-") || strings.HasPrefix(name, "Proxy-")
}

// checkURL checks the URL of an upstream. The error has nothing of the URL.
func checkURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Opaque != "":
		return errors.New("want an absolute URL that begins with http:// or https://")
	case u.Fragment != "" || strings.HasSuffix(s, "#"):
		return errors.New("the URL has a fragment")
	}
	return nil
}
