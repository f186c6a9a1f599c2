package mcp

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Forwarded is what one upstream has. Its features are JSON objects as the upstream lists them.
type Forwarded struct {
	Backend Backend // reaches the upstream; required

	Tools, Prompts               []ForwardedFeature
	Resources, ResourceTemplates [][]byte

	// Capabilities are those of the upstream, as far as they can be delivered. The server declares
	// what one of its upstreams has, and goes on to declare it for as long as it is served. What is
	// not nil in [ServerOptions].Capabilities comes first. Experimental and Extensions are ignored.
	Capabilities ServerCapabilities

	// Instructions follow those of the server and of the upstreams before.
	Instructions string

	// Scopes are the scopes of OAuth that the token of a caller needs for anything of the
	// upstream, in addition to those of single features. The transport enforces them: see package
	// server and [Call.Scopes]. Lists do not depend on them: see [ServerOptions].Visible.
	Scopes []string
}

// A ForwardedFeature is a tool or a prompt of an upstream.
type ForwardedFeature struct {
	Name string // under which clients find it; "" means the upstream's own name
	Raw  []byte // a Tool or a Prompt as JSON

	Scopes []string // that the token of a caller needs in addition to Forwarded.Scopes
}

// An owner is an upstream as a registry has it. It is immutable.
type owner struct {
	name         string
	backend      Backend
	caps         ServerCapabilities
	instructions string
	scopes       ownerScopes
}

// owners are in the order in which they came.
type owners []*owner

func (os owners) get(name string) *owner {
	for _, o := range os {
		if o.name == name {
			return o
		}
	}
	return nil
}

// with returns os with o in place of the one of that name.
func (os owners) with(o *owner) owners {
	out := slices.Clone(os)
	for i := range out {
		if out[i].name == o.name {
			out[i] = o
			return out
		}
	}
	return append(out, o)
}

func (os owners) without(name string) owners {
	return slices.DeleteFunc(slices.Clone(os), func(o *owner) bool { return o.name == name })
}

// Replace replaces all that the owner, an upstream, has on s by f, at once. Calls in flight go on.
// A nil f removes the owner. Clients are told of the lists that differ: if the features are byte
// for byte those from before, nobody is told anything.
//
// Unlike [AddTool] and its like, Replace takes what upstreams send. Schemas are not compiled, and
// arguments are not validated. A feature that cannot be served is left out, and the errors say why:
// it is not an object or has no name, an x-mcp-header of its schema is not valid, or a feature of
// another owner or of s itself has its name already. Replace copies what it keeps, and may be
// called from any goroutine.
func (s *Server) Replace(name string, f *Forwarded) []error {
	own := new(forwardedSets)
	if f != nil {
		if f.Backend == nil {
			return []error{errors.New("mcp: Replace: the Backend is nil")}
		}
		own = s.newForwardedSets(name, f)
	}
	errs := own.errs
	var topics Topic
	next, changed := s.replace(func(r *registry) bool {
		topics = r.replaceForwarded(name, own, &errs)
		if f == nil {
			r.owners = r.owners.without(name)
			r.scoped = r.owners.scoped()
			return true
		}
		o := &owner{name: name, backend: f.Backend, caps: f.Capabilities, instructions: f.Instructions, scopes: scopesOf(f)}
		r.owners = r.owners.with(o)
		r.scoped = r.owners.scoped()
		r.declare(&o.caps, own)
		return true
	})
	if changed {
		s.views.clear()
	}
	for _, topic := range []Topic{TopicTools, TopicPrompts, TopicResources} {
		switch {
		case topics&topic == 0:
		case next.sending != nil:
			s.announce(next.sending, topic)
		default:
			s.tell(Change{Topic: topic})
		}
	}
	return errs
}

// replaceForwarded replaces the features of the owner, and returns the topics that differ.
func (r *registry) replaceForwarded(name string, own *forwardedSets, errs *[]error) (topics Topic) {
	if tools := replaceOwned(r.tools, name, own.tools, errs); tools != r.tools {
		r.tools, topics = tools, topics|TopicTools
	}
	if prompts := replaceOwned(r.prompts, name, own.prompts, errs); prompts != r.prompts {
		r.prompts, topics = prompts, topics|TopicPrompts
	}
	if resources := replaceOwned(r.resources, name, own.resources, errs); resources != r.resources {
		r.resources, topics = resources, topics|TopicResources
	}
	if templates := replaceOwned(r.templates, name, own.templates, errs); templates != r.templates {
		r.templates, topics = templates, topics|TopicResources
	}
	return topics
}

// declare adds to what the server declares what an owner has.
func (r *registry) declare(c *ServerCapabilities, own *forwardedSets) {
	if len(own.tools) > 0 && c.Tools == nil {
		c.Tools = new(ToolCapabilities)
	}
	if len(own.prompts) > 0 && c.Prompts == nil {
		c.Prompts = new(PromptCapabilities)
	}
	if len(own.resources)+len(own.templates) > 0 && c.Resources == nil {
		c.Resources = new(ResourceCapabilities)
	}
	r.declared = r.declared.union(c)
}

// union returns what c or other declares. It ignores what is not forwarded.
func (c ServerCapabilities) union(other *ServerCapabilities) ServerCapabilities {
	if o := other.Tools; o != nil {
		var was ToolCapabilities
		if c.Tools != nil {
			was = *c.Tools
		}
		c.Tools = &ToolCapabilities{ListChanged: was.ListChanged || o.ListChanged}
	}
	if o := other.Prompts; o != nil {
		var was PromptCapabilities
		if c.Prompts != nil {
			was = *c.Prompts
		}
		c.Prompts = &PromptCapabilities{ListChanged: was.ListChanged || o.ListChanged}
	}
	if o := other.Resources; o != nil {
		var was ResourceCapabilities
		if c.Resources != nil {
			was = *c.Resources
		}
		c.Resources = &ResourceCapabilities{ListChanged: was.ListChanged || o.ListChanged, Subscribe: was.Subscribe || o.Subscribe}
	}
	if other.Completions != nil {
		c.Completions = other.Completions
	}
	if other.Logging != nil {
		c.Logging = other.Logging
	}
	return c
}

// instructions returns what the server and its upstreams tell a model.
func (s *Server) instructions(r *registry) string {
	parts := []string{s.opts.Instructions}
	for _, o := range r.owners {
		parts = append(parts, o.instructions)
	}
	parts = slices.DeleteFunc(parts, func(p string) bool { return p == "" })
	return strings.Join(parts, "\n\n")
}

// A forwardable is a feature that may be an upstream's.
type forwardable interface {
	feature
	target() *Target // nil if the server has the feature itself
}

// replaceOwned returns f with the features own of the owner, sorted by key, in place of those that
// it has. It returns f itself if nothing differs. A feature whose key is taken is left out.
func replaceOwned[T forwardable](f *featureSet[T], owner string, own []T, errs *[]error) *featureSet[T] {
	items := make([]T, 0, len(f.items)+len(own))
	for _, item := range f.items {
		if t := item.target(); t == nil || t.Owner != owner {
			items = append(items, item)
		}
	}
	others := &featureSet[T]{items: items}
	merged := make([]T, 0, len(f.items)+len(own))
	for _, item := range own {
		at, taken := others.find([]byte(item.key()))
		if taken {
			kind, name := item.shown()
			by := "the server itself"
			if t := others.items[at].target(); t != nil {
				by = fmt.Sprintf("%q", t.Owner)
			}
			*errs = append(*errs, fmt.Errorf("mcp: the %s %q of %q is left out: %s has one of that name", kind, name, owner, by))
			continue
		}
		if was, ok := f.get([]byte(item.key())); ok && sameFeature(was, item) {
			item = was
		}
		merged = append(merged, item)
	}
	merged = append(merged, items...)
	slices.SortFunc(merged, func(a, b T) int { return strings.Compare(a.key(), b.key()) })
	same := func(a, b T) bool { return sameFeature(a, b) }
	if slices.EqualFunc(merged, f.items, same) {
		return f
	}
	return &featureSet[T]{items: merged}
}

// sameFeature reports whether a and b are listed with the same bytes and lead to the same target.
func sameFeature[T forwardable](a, b T) bool {
	ta, tb := a.target(), b.target()
	if (ta == nil) != (tb == nil) || a.key() != b.key() || ta != nil && *ta != *tb {
		return false
	}
	for i := range revisions {
		if !bytes.Equal(a.entry(&revisions[i]), b.entry(&revisions[i])) {
			return false
		}
	}
	return ta != nil || any(a) == any(b)
}
