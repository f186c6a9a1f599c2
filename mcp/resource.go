package mcp

import (
	"context"
	"errors"
	"fmt"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp/internal/uritemplate"
)

// A ResourceHandler answers resources/read for a resource or for the URIs of a template. It must
// return contents, which may be empty, or an error: [ResourceNotFoundError] if there is no such
// resource. Contents without a URI get that of the request, and contents without a MIME type get
// that of the resource. A ResourceHandler is a worker handler, see [ToolHandlerFor].
//
// For a template the client chooses the URI. A handler that turns it into a file path must guard
// against ".." and the like.
type ResourceHandler func(context.Context, *ReadResourceRequest) (*ReadResourceResult, error)

// A resource is a [Resource] with its handler.
type resource struct {
	def     *Resource // with an encoded URI; of an upstream's resource only that: see listed
	to      *Target   // nil unless it is an upstream's
	uri     string    // normalized, to find it by: see normalURI
	text    entryText
	handler ResourceHandler
}

func (r *resource) key() string                { return r.uri }
func (r *resource) entry(rev *revision) []byte { return r.text[rev.index] }

func (r *resource) shown() (FeatureKind, string) { return FeatureResource, r.def.URI }

// A resourceTemplate is a [ResourceTemplate] with its handler.
type resourceTemplate struct {
	def     *ResourceTemplate     // of an upstream's template only its text: see listed
	to      *Target               // nil unless it is an upstream's
	name    string                // the normalized template, to find it by: see normalTemplate
	match   *uritemplate.Template // parsed from name; nil if it serves no URI
	text    entryText
	handler ResourceHandler
}

func (r *resourceTemplate) key() string                { return r.name }
func (r *resourceTemplate) entry(rev *revision) []byte { return r.text[rev.index] }

func (r *resourceTemplate) shown() (FeatureKind, string) {
	return FeatureResourceTemplate, r.def.URITemplate
}

// AddResource adds a resource, or replaces the resource with that URI. It copies r. A resource
// without a name has its URI as its name. AddResource panics if the URI is not a valid absolute URI
// or if h is nil, which are programming errors. It may be called from any goroutine.
//
// Characters that a URI cannot have, such as spaces and letters outside ASCII, are listed
// percent-encoded. A client finds the resource under every spelling of its URI that is equivalent
// by RFC 3986, section 6.2.2, and under the unencoded one too.
func (s *Server) AddResource(r *Resource, h ResourceHandler) {
	def := *r
	if h == nil {
		panic(fmt.Sprintf("mcp: AddResource %q: the handler is nil", def.URI))
	}
	if def.Name == "" {
		def.Name = def.URI
	}
	encoded, ok := encodedURI(def.URI, false)
	if !ok {
		panic(fmt.Sprintf("mcp: AddResource %q: the URI is not a valid absolute URI", def.URI))
	}
	def.URI = encoded
	text, err := newEntryText(func(w *wire) ([]byte, error) { return marshal(w.resource(&def)) })
	if err != nil {
		panic(fmt.Sprintf("mcp: AddResource %q: %v", def.URI, err))
	}
	s.update(TopicResources, func(reg *registry) bool {
		reg.resources = reg.resources.with(&resource{def: &def, uri: normalURI(def.URI), text: text, handler: h})
		reg.hasResources = true
		return true
	})
}

// RemoveResources removes the resources with the URIs.
func (s *Server) RemoveResources(uris ...string) {
	keys := make([]string, len(uris))
	for i, uri := range uris {
		keys[i] = normalURI(uri)
	}
	s.update(TopicResources, func(reg *registry) bool {
		before := reg.resources
		reg.resources = before.without(keys)
		return reg.resources != before
	})
}

// AddResourceTemplate adds a family of resources, or replaces the family with that template.
// Templates have level 1 to 4 of RFC 6570. A resource with exactly the URI comes before a template
// that matches it. If several templates match, the first one in the order of their texts is used.
//
// AddResourceTemplate copies t. A template without a name has its text as its name.
// AddResourceTemplate panics if the template is not valid or if h is nil, which are programming
// errors. It may be called from any goroutine.
func (s *Server) AddResourceTemplate(t *ResourceTemplate, h ResourceHandler) {
	def := *t
	if h == nil {
		panic(fmt.Sprintf("mcp: AddResourceTemplate %q: the handler is nil", def.URITemplate))
	}
	if def.Name == "" {
		def.Name = def.URITemplate
	}
	encoded, ok := encodedURI(def.URITemplate, true)
	if !ok {
		panic(fmt.Sprintf("mcp: AddResourceTemplate %q: it does not expand to a URI", def.URITemplate))
	}
	def.URITemplate = encoded
	name := normalTemplate(encoded)
	match, err := uritemplate.Parse(name)
	if err != nil {
		panic(fmt.Sprintf("mcp: AddResourceTemplate %q: %v", def.URITemplate, err))
	}
	text, err := newEntryText(func(w *wire) ([]byte, error) { return marshal(w.resourceTemplate(&def)) })
	if err != nil {
		panic(fmt.Sprintf("mcp: AddResourceTemplate %q: %v", def.URITemplate, err))
	}
	s.update(TopicResources, func(reg *registry) bool {
		reg.templates = reg.templates.with(&resourceTemplate{def: &def, name: name, match: match, text: text, handler: h})
		reg.hasResources = true
		return true
	})
}

// RemoveResourceTemplates removes the resource templates with the given texts.
func (s *Server) RemoveResourceTemplates(uriTemplates ...string) {
	keys := make([]string, len(uriTemplates))
	for i, text := range uriTemplates {
		keys[i] = normalTemplate(text)
	}
	s.update(TopicResources, func(reg *registry) bool {
		before := reg.templates
		reg.templates = before.without(keys)
		return reg.templates != before
	})
}

// templateFor returns the template that serves uri to w, and the spelling of uri that it matches.
// It returns nil if there is none. A host keeps its case if the template has a variable for it.
func (r *registry) templateFor(w *Caller, uri string) (t *resourceTemplate, spelling string) {
	if len(r.templates.items) == 0 {
		return nil, ""
	}
	folded := normalURI(uri)
	kept := folded
	if folded != uri {
		kept = string(appendNormalURI(nil, uri, foldScheme, false))
	}
	for _, t := range r.templates.items {
		if t.match == nil {
			continue
		}
		if t.match.Matches(kept) {
			spelling = kept
		} else if kept != folded && t.match.Matches(folded) {
			spelling = folded
		} else {
			continue
		}
		if w.sees(t) {
			return t, spelling
		}
	}
	return nil, ""
}

// resourceAt returns the resource with the uri, in any equivalent spelling, if w sees it.
func (r *registry) resourceAt(w *Caller, uri []byte) (*resource, bool) {
	if !isNormalURI(uri) {
		uri = appendNormalURI(nil, string(uri), foldHost, false)
	}
	return lookup(w, r.resources, uri)
}

// shapeReadResource checks the params of resources/read.
func shapeReadResource(c *Call) *jsonrpc.Error {
	uri, ok := stringOf(c.p.uri)
	if !ok {
		return invalidParams("uri is required and must be a string")
	}
	c.name = uri
	return c.shapeInput()
}

// bindReadResource finds the resource or the template. To the client, a resource that is not
// registered looks the same as one that its handler does not find. With middleware, it is refused
// behind it.
func bindReadResource(c *Call, _ *RequestMeta) *jsonrpc.Error {
	var ok bool
	if c.resource, ok = c.reg.resourceAt(c.caller, c.name); ok {
		return c.bindTo(c.resource.to)
	}
	uri := string(c.name)
	if c.template, _ = c.reg.templateFor(c.caller, uri); c.template != nil {
		return c.bindTo(c.template.to.serving(uri))
	}
	if t, ok := c.routed(RouteRead, uri); ok {
		return c.bindTo(t)
	}
	if !c.chained {
		return c.noResource(uri)
	}
	return c.openState()
}

// runReadResource answers resources/read.
func runReadResource(c *Call, ctx context.Context, w Sink) {
	x := new(exchange[ReadResourceParams, *ReadResourceParams])
	ctx = x.open(c, ctx, w)
	x.params.URI = string(c.name)
	if e := c.takeInput(&x.params.InputResponses, &x.params.RequestState); e != nil {
		c.fail(w, e)
		return
	}
	res, err := through[*ReadResourceResult](c, ctx, &x.req)
	if err == nil && res == nil {
		err = errNoContents
	}
	if err != nil {
		c.fail(w, protocolError(err, c.rev))
		return
	}
	if res.NeedsInput() {
		c.askClient(ctx, w, res.InputRequests, res.RequestState)
		return
	}
	msg, err := c.head().appendStart(c.buf[:0], c.id, res.Meta)
	if err == nil {
		shown := ReadResourceResult{Contents: c.rev.wire.resourceContents(res.Contents)}
		msg, err = shown.appendMembers(msg)
	}
	if err != nil {
		c.failEncoding(w, err)
		return
	}
	hints := res.Cacheable
	if hints == (Cacheable{}) && c.s.opts.SetCacheable == nil {
		hints = c.s.opts.Cache.ReadResource
	}
	c.normalize(&hints)
	c.respond(w, append(appendHints(msg, c.rev, hints), `}}`...), 0)
}

// errNoContents is the error for a handler that returned nothing: the protocol has no empty result
// for a resource that does not exist.
var errNoContents = errors.New("mcp: the resource handler returned no contents")

// readResource is the innermost handler of resources/read.
func (s *Server) readResource(ctx context.Context, req *ReadResourceRequest) (*ReadResourceResult, error) {
	uri := req.Params.URI
	var h ResourceHandler
	var mimeType string
	reg, caller := req.Session.reg, req.Session.caller
	if r, ok := reg.resourceAt(caller, []byte(uri)); ok {
		h, mimeType = r.handler, r.def.MIMEType
	} else if t, spelling := reg.templateFor(caller, uri); t != nil {
		h, mimeType = t.handler, t.def.MIMEType
		if req.Extra == nil {
			req.Extra = new(RequestExtra) // middleware has made the request
		}
		req.Extra.Variables, _ = t.match.Match(spelling)
	} else if t, ok := s.routed(reg, caller, RouteRead, uri); ok {
		h = func(ctx context.Context, req *ReadResourceRequest) (*ReadResourceResult, error) {
			return s.forwardRead(ctx, t, req)
		}
	} else {
		return nil, ResourceNotFoundError(uri)
	}
	res, err := h(ctx, req)
	if err != nil || res == nil {
		return nil, err
	}
	if res.NeedsInput() {
		return res, nil
	}
	if res.Contents == nil {
		return nil, errNoContents
	}
	out := *res
	if out.Cacheable == (Cacheable{}) {
		out.Cacheable = s.opts.Cache.ReadResource
	}
	s.setCacheable(ctx, req, &out.Cacheable)
	out.Contents = make([]*ResourceContents, len(res.Contents))
	for i, c := range res.Contents {
		if c == nil {
			return nil, errNilContent
		}
		filled := *c // the handler may return the same contents to many clients
		if filled.URI == "" {
			filled.URI = uri
		}
		if filled.MIMEType == "" {
			filled.MIMEType = mimeType
		}
		out.Contents[i] = &filled
	}
	return &out, nil
}
