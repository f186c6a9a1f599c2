package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// Limits of a file.
const (
	MaxFile    = 1 << 20 // bytes
	MaxServers = 1000
)

// A File is what a configuration file says.
type File struct {
	Path     string
	Servers  []Server // in the order of the file
	Disabled []string // names of those that are disabled, of which nothing else was read
	Warnings []*Problem

	content content
}

// Load reads a file. Lookup returns environment variables, as os.LookupEnv does. If something is
// wrong in the file, the error is Errors.
func Load(path string, lookup func(name string) (value string, ok bool)) (*File, error) {
	src, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, src, lookup)
}

// readFile returns the content of a file that is not larger than MaxFile.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err == nil && len(src) > MaxFile {
		err = fmt.Errorf("%s: larger than %d bytes", path, MaxFile)
	}
	return src, err
}

// Parse reads the content of a file; path is for messages alone. If something is wrong in it, the
// error is Errors.
func Parse(path string, src []byte, lookup func(name string) (value string, ok bool)) (*File, error) {
	r := &reader{file: path, src: src, lookup: lookup}
	if len(src) > MaxFile {
		return nil, Errors{{File: path, Text: fmt.Sprintf("larger than %d bytes", MaxFile)}}
	}
	text, err := standardize(src)
	if err != nil {
		p := &Problem{File: path, Pos: Position{1, 1}, Text: err.Error()}
		var syntax *syntaxError
		if errors.As(err, &syntax) {
			p.Pos = position(src, syntax.offset)
		}
		return nil, Errors{p}
	}
	f := &File{Path: path, content: sha256.Sum256(src)}
	r.root(place{r: r, n: parse(text)}, f)
	if len(r.errors) > 0 {
		return nil, r.errors
	}
	f.Warnings = r.warnings
	return f, nil
}

// root reads the value of a file.
func (r *reader) root(p place, f *File) {
	fields := p.fields()
	found := r.sections(fields, f)
	for _, m := range fields {
		if m.name == "mcp" && m.n.kind == isObject { // settings.json of VS Code
			found = r.sections(m.fields(), f) || found
		}
	}
	if !found && len(r.errors) == 0 {
		p.errorf("%s", r.noServers(fields))
	}
	if err := Check(f.Servers); err != nil {
		p.errorf("%v", err)
	}
}

// sections reads the members that have servers, and reports whether there is one.
func (r *reader) sections(fields []field, f *File) (found bool) {
	for _, m := range fields {
		switch {
		case m.name == "mcpServers" || m.name == "servers":
			found = true
			r.servers(m.place, f)
		case m.name == "inputs" || m.name == "$schema" || m.name == "mcp" && m.n.kind == isObject:
		case isOurs(m.name):
			m.errorf("x-mooring is a member of a server, not of the file")
		default:
			m.warnf("ignored")
		}
	}
	return found
}

// noServers says what a file without servers should have.
func (r *reader) noServers(fields []field) string {
	const want = `there is no "mcpServers" and no "servers" in the file`
	for _, m := range fields {
		if m.name == "command" || m.name == "url" {
			return want + `; a server belongs in one: {"mcpServers": {"name": {…}}}`
		}
		for _, inner := range m.n.members {
			if inner.name == "command" || inner.name == "url" {
				return want + `; servers belong in one: {"mcpServers": {` + quote(m.name) + `: {…}}}`
			}
		}
	}
	return want
}

func (r *reader) servers(p place, f *File) {
	for _, m := range p.fields() {
		if len(f.Servers)+len(f.Disabled) == MaxServers {
			m.errorf("more than %d servers", MaxServers)
			return
		}
		if s, ok := r.server(m); ok {
			f.Servers = append(f.Servers, s)
		} else {
			f.Disabled = append(f.Disabled, m.name)
		}
	}
}

// Check returns what servers cannot have in common, such as a name, and nil if there is nothing.
// Those of one file have passed it.
func Check(servers []Server) error {
	names, paths := make(map[string]Position), make(map[string]string)
	for i := range servers {
		s := &servers[i]
		if at, twice := names[s.Name]; twice {
			if at.Line == 0 || s.Pos.Line == 0 {
				return fmt.Errorf("two servers have the name %s", show(s.Name))
			}
			return fmt.Errorf("two servers have the name %s, in line %d and in line %d", show(s.Name), at.Line, s.Pos.Line)
		}
		names[s.Name] = s.Pos
		if other, twice := paths[s.Path]; twice {
			return fmt.Errorf("the servers %s and %s have the same path", show(other), show(s.Name))
		}
		paths[s.Path] = s.Name
	}
	if len(servers) > MaxServers {
		return fmt.Errorf("more than %d servers", MaxServers)
	}
	return nil
}

// Only returns those servers of a file that are named, in the order of the file.
func (f *File) Only(names []string) ([]Server, error) {
	var list []Server
	wanted := make(map[string]bool, len(names))
	for _, name := range names {
		wanted[name] = true
	}
	for _, s := range f.Servers {
		if wanted[s.Name] {
			list = append(list, s)
			delete(wanted, s.Name)
		}
	}
	for _, name := range names {
		switch {
		case wanted[name] && slices.Contains(f.Disabled, name):
			return nil, fmt.Errorf("%s: the server %s is disabled", f.Path, show(name))
		case wanted[name]:
			return nil, fmt.Errorf("%s: there is no server %s", f.Path, show(name))
		}
	}
	return list, nil
}

// isOurs reports whether a name is x-mooring, or likely to be meant as that.
func isOurs(name string) bool {
	plain := strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(name))
	return plain == "xmooring" || plain == "mooring"
}
