package mcp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp/internal/schema"
	"github.com/mooring-mcp/mooring/mcp/internal/uritemplate"
)

// forwardedSets are the features of one upstream, each list sorted by key, and why others were left
// out.
type forwardedSets struct {
	tools     []*tool
	prompts   []*prompt
	resources []*resource
	templates []*resourceTemplate
	errs      []error
}

// newForwardedSets returns the features of f.
func (s *Server) newForwardedSets(owner string, f *Forwarded) *forwardedSets {
	sets := new(forwardedSets)
	for _, t := range f.Tools {
		collectOwn(sets, &sets.tools, "tool", owner, func() (*tool, error) { return s.newForwardedTool(owner, t) })
	}
	for _, p := range f.Prompts {
		collectOwn(sets, &sets.prompts, "prompt", owner, func() (*prompt, error) { return s.newForwardedPrompt(owner, p) })
	}
	for _, raw := range f.Resources {
		collectOwn(sets, &sets.resources, "resource", owner, func() (*resource, error) { return s.newForwardedResource(owner, raw) })
	}
	for _, raw := range f.ResourceTemplates {
		collectOwn(sets, &sets.templates, "resource template", owner, func() (*resourceTemplate, error) { return s.newForwardedTemplate(owner, raw) })
	}
	sortOwn(sets, &sets.tools)
	sortOwn(sets, &sets.prompts)
	sortOwn(sets, &sets.resources)
	sortOwn(sets, &sets.templates)
	return sets
}

func collectOwn[T feature](s *forwardedSets, all *[]T, kind, owner string, make func() (T, error)) {
	f, err := make()
	if err != nil {
		s.errs = append(s.errs, fmt.Errorf("mcp: a %s of %q is left out: %w", kind, owner, err))
		return
	}
	*all = append(*all, f)
}

// sortOwn sorts all by key. Of several features with the same key the first stays.
func sortOwn[T feature](s *forwardedSets, all *[]T) {
	slices.SortStableFunc(*all, func(a, b T) int { return strings.Compare(a.key(), b.key()) })
	*all = slices.CompactFunc(*all, func(a, b T) bool {
		if a.key() != b.key() {
			return false
		}
		kind, name := b.shown()
		s.errs = append(s.errs, fmt.Errorf("mcp: the %s %q is left out: its upstream has two of that name", kind, name))
		return true
	})
}

func (t *tool) target() *Target             { return t.to }
func (p *prompt) target() *Target           { return p.to }
func (r *resource) target() *Target         { return r.to }
func (r *resourceTemplate) target() *Target { return r.to }

var (
	errNotFeature = errors.New("it is not a JSON object")
	errNameless   = errors.New("it has no name")
)

// identify checks raw, and returns its member of that name, which is not empty.
func identify(raw []byte, member string) (string, error) {
	if err := jsonrpc.Check(raw); err != nil || !isObject(bytes.TrimLeft(raw, " \t\r\n")) {
		return "", errNotFeature
	}
	name := memberString(raw, member)
	if name == "" {
		return "", errNameless
	}
	return name, nil
}

func (s *Server) newForwardedTool(owner string, f ForwardedFeature) (*tool, error) {
	own, err := identify(f.Raw, "name")
	if err != nil {
		return nil, err
	}
	t := &tool{def: &Tool{Name: f.Name}, to: &Target{Owner: owner, Name: own}}
	if f.Name == "" {
		t.def.Name = own
	}
	input, _ := jsonrpc.Member(f.Raw, "inputSchema")
	// The word may be written with escapes.
	if bytes.Contains(input, []byte("x-mcp-header")) || bytes.Contains(input, []byte(`\u`)) {
		found, err := schema.HeaderParams(input)
		if err == nil && len(found) > maxHeaderParams {
			err = fmt.Errorf("more than %d properties with x-mcp-header", maxHeaderParams)
		}
		if err != nil {
			return nil, fmt.Errorf("%q: %w", own, err)
		}
		t.params = headerParams(found)
	}
	t.text = cutEntries(f.Raw, "name", t.def.Name, (*wire).toolMember)
	t.call = func(ctx context.Context, req *CallToolRequest) (toolOutput, error) {
		return s.forwardTool(ctx, t.to, req)
	}
	return t, nil
}

func (s *Server) newForwardedPrompt(owner string, f ForwardedFeature) (*prompt, error) {
	own, err := identify(f.Raw, "name")
	if err != nil {
		return nil, err
	}
	p := &prompt{def: &Prompt{Name: f.Name}, to: &Target{Owner: owner, Name: own}}
	if f.Name == "" {
		p.def.Name = own
	}
	p.text = cutEntries(f.Raw, "name", p.def.Name, (*wire).promptMember)
	p.handler = func(ctx context.Context, req *GetPromptRequest) (*GetPromptResult, error) {
		return s.forwardPrompt(ctx, p.to, req)
	}
	return p, nil
}

func (s *Server) newForwardedResource(owner string, raw []byte) (*resource, error) {
	uri, err := identify(raw, "uri")
	if err != nil {
		return nil, err
	}
	r := &resource{def: &Resource{URI: uri}, uri: normalURI(uri), to: &Target{Owner: owner, Name: uri}}
	r.text = cutEntries(raw, "", "", (*wire).resourceMember)
	r.handler = func(ctx context.Context, req *ReadResourceRequest) (*ReadResourceResult, error) {
		return s.forwardRead(ctx, r.to, req)
	}
	return r, nil
}

// newForwardedTemplate returns a template of an upstream. One that is not valid by RFC 6570 is
// listed, but serves no URI.
func (s *Server) newForwardedTemplate(owner string, raw []byte) (*resourceTemplate, error) {
	text, err := identify(raw, "uriTemplate")
	if err != nil {
		return nil, err
	}
	r := &resourceTemplate{def: &ResourceTemplate{URITemplate: text}, name: normalTemplate(text), to: &Target{Owner: owner, Name: text}}
	if match, err := uritemplate.Parse(r.name); err == nil {
		r.match = match
	}
	r.text = cutEntries(raw, "", "", (*wire).templateMember)
	r.handler = func(ctx context.Context, req *ReadResourceRequest) (*ReadResourceResult, error) {
		return s.forwardRead(ctx, r.to.serving(req.Params.URI), req)
	}
	return r, nil
}

// A cutMember returns what a revision writes as a member of a feature, and false if it does not
// have the member.
type cutMember func(w *wire, name string, value []byte) ([]byte, bool)

// cutEntries returns the texts of the feature raw, with value as its member named, in all
// revisions. If nothing has to be changed, the text of the newest revision is raw octet for octet,
// except for line ends.
func cutEntries(raw []byte, named, value string, cut cutMember) entryText {
	raw = bytes.Trim(raw, " \t\r\n")
	newest := appendLine(nil, raw)
	if was := member(raw, named); named != "" && !jsonrpc.EqualString(was, value) || hasReserved(member(raw, "_meta")) || member(raw, "execution") != nil {
		newest = []byte{'{'}
		for name, v := range jsonrpc.Members(raw) {
			switch key := unescaped(name); {
			case named != "" && string(key) == named:
				v = jsonrpc.AppendString(nil, value)
			case string(key) == "_meta":
				v = append(appendForeignMeta([]byte{'{'}, v), '}')
			case string(key) == "execution":
				continue // it is about tasks, which are not forwarded
			}
			newest = appendLine(appendName(newest, name), v)
		}
		newest = append(newest, '}')
	}
	text, _ := newEntryText(func(w *wire) ([]byte, error) {
		if w.all() {
			return newest, nil
		}
		out := []byte{'{'}
		for name, v := range jsonrpc.Members(newest) {
			if v, ok := cut(w, string(unescaped(name)), v); ok {
				out = append(appendName(out, name), v...)
			}
		}
		return append(out, '}'), nil
	})
	return text
}

// commonMember is cut for the members that all features may have.
func (w *wire) commonMember(name string) bool {
	switch name {
	case "name", "description":
		return true
	case "title":
		return w.titles
	case "icons":
		return w.icons
	case "_meta":
		return w.meta
	}
	return false
}

func (w *wire) toolMember(name string, value []byte) ([]byte, bool) {
	switch name {
	case "inputSchema":
		return objectSchema(value), true
	case "outputSchema":
		kind := member(value, "type")
		return objectSchema(value), w.structured != structuredNone && jsonrpc.EqualString(kind, "object")
	case "annotations":
		return value, w.toolAnnotations
	}
	return value, w.commonMember(name)
}

func (w *wire) promptMember(name string, value []byte) ([]byte, bool) {
	if name != "arguments" || w.titles {
		return value, name == "arguments" || w.commonMember(name)
	}
	return w.rawEach(value, func(arg []byte) []byte { return withoutMember(arg, "title") }), true
}

func (w *wire) resourceMember(name string, value []byte) ([]byte, bool) {
	switch name {
	case "uri", "mimeType", "size":
		return value, true
	case "annotations":
		if w.lastModified {
			return value, true
		}
		return withoutMember(value, "lastModified"), true
	}
	return value, w.commonMember(name)
}

func (w *wire) templateMember(name string, value []byte) ([]byte, bool) {
	if name == "uriTemplate" {
		return value, true
	}
	if name == "uri" || name == "size" {
		return nil, false
	}
	return w.resourceMember(name, value)
}

// withoutMember returns obj without its member of that name.
func withoutMember(obj []byte, name string) []byte {
	if _, ok := jsonrpc.Member(obj, name); !ok {
		return obj
	}
	out := []byte{'{'}
	for n, v := range jsonrpc.Members(obj) {
		if !jsonrpc.EqualString(n, name) {
			out = append(appendName(out, n), v...)
		}
	}
	return append(out, '}')
}
