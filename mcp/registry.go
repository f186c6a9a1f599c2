package mcp

import "sync"

// A registry is the features of a server at one time. It is immutable and replaced as a whole. A
// call keeps the one it was prepared with.
type registry struct {
	tools     *featureSet[*tool]
	prompts   *featureSet[*prompt]
	resources *featureSet[*resource]
	templates *featureSet[*resourceTemplate]

	// A kind that was ever added stays declared, so that a server whose last tool is removed for a
	// while does not seem to have lost the method.
	hasTools, hasPrompts, hasResources bool

	owners   owners             // upstreams, see Server.Replace
	declared ServerCapabilities // what upstreams have had so far
	scoped   bool               // an upstream, or a feature of one, needs scopes

	custom map[string]*customMethod // by name; nil if there are none

	chain  MethodHandler // nil without middleware
	wanted methodSet     // the methods that middleware sees

	sending MethodHandler // what is sent passes through it; nil without middleware

	discover   *[revisionCount]discovery
	initialize *[revisionCount]discovery
}

// A discovery is the text after the id of the response to server/discover, or to initialize, in one
// revision.
type discovery struct {
	once sync.Once
	body []byte
}

func newRegistry() *registry {
	return &registry{
		tools:      new(featureSet[*tool]),
		prompts:    new(featureSet[*prompt]),
		resources:  new(featureSet[*resource]),
		templates:  new(featureSet[*resourceTemplate]),
		discover:   new([revisionCount]discovery),
		initialize: new([revisionCount]discovery),
	}
}

// update passes a copy of the registry to change. If change returns true, the copy replaces the
// registry, and the watchers are notified of topic unless it is 0. It may be called from any
// goroutine.
func (s *Server) update(topic Topic, change func(*registry) bool) {
	next, changed := s.replace(change)
	if changed {
		s.views.clear()
	}
	switch {
	case !changed || topic == 0:
	case next.sending != nil:
		s.announce(next.sending, topic)
	default:
		s.tell(Change{Topic: topic})
	}
}

// replace replaces the registry by what change makes of a copy of it. It returns the copy, and
// whether change has returned true. Change may call middleware of the host, which may panic.
func (s *Server) replace(change func(*registry) bool) (next registry, changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next = *s.reg.Load()
	if changed = change(&next); changed {
		next.discover, next.initialize = new([revisionCount]discovery), new([revisionCount]discovery)
		own := next
		s.reg.Store(&own)
	}
	return next, changed
}

// capabilities returns what the server declares when it has the features of r.
func (s *Server) capabilities(r *registry) *ServerCapabilities {
	c, has := *s.opts.Capabilities, r.declared
	if r.hasTools {
		has.Tools = &ToolCapabilities{ListChanged: true}
	}
	if r.hasPrompts {
		has.Prompts = &PromptCapabilities{ListChanged: true}
	}
	if r.hasResources {
		has.Resources = &ResourceCapabilities{ListChanged: true, Subscribe: true}
	}
	if s.opts.CompletionHandler != nil {
		has.Completions = &CompletionCapabilities{}
	}
	if c.Tools == nil {
		c.Tools = has.Tools
	}
	if c.Prompts == nil {
		c.Prompts = has.Prompts
	}
	if c.Resources == nil {
		c.Resources = has.Resources
	}
	if c.Completions == nil {
		c.Completions = has.Completions
	}
	if c.Logging == nil {
		c.Logging = has.Logging
	}
	return &c
}

// topics returns what a client may subscribe to when the server has the features of r.
func (s *Server) topics(r *registry) Topic {
	c := s.capabilities(r)
	var t Topic
	if c.Tools != nil && c.Tools.ListChanged {
		t |= TopicTools
	}
	if c.Prompts != nil && c.Prompts.ListChanged {
		t |= TopicPrompts
	}
	if c.Resources != nil && c.Resources.ListChanged {
		t |= TopicResources
	}
	if c.Resources != nil && c.Resources.Subscribe {
		t |= TopicResource
	}
	return t
}
