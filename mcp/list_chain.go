package mcp

import (
	"context"
	"fmt"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// With middleware or SetCacheable, the results of the list methods and of server/discover pass
// through it as values and are encoded for each request.

// toolsResult is the innermost handler of tools/list.
func (s *Server) toolsResult(ctx context.Context, req *ListToolsRequest) (Result, error) {
	p, reg := s.pagerFor(req.Session, &s.listTools), req.Session.reg
	res := &ListToolsResult{Cacheable: p.hints, Tools: []*Tool{}}
	var err error
	res.NextCursor, err = collect(p, seenBy(req.Session.caller, reg.tools), req.Params.Cursor, func(t *tool) { res.Tools = append(res.Tools, t.listed()) })
	s.setCacheable(ctx, req, &res.Cacheable)
	return res, err
}

// promptsResult is the innermost handler of prompts/list.
func (s *Server) promptsResult(ctx context.Context, req *ListPromptsRequest) (Result, error) {
	p, reg := s.pagerFor(req.Session, &s.listPrm), req.Session.reg
	res := &ListPromptsResult{Cacheable: p.hints, Prompts: []*Prompt{}}
	var err error
	res.NextCursor, err = collect(p, seenBy(req.Session.caller, reg.prompts), req.Params.Cursor, func(p *prompt) { res.Prompts = append(res.Prompts, p.listed()) })
	s.setCacheable(ctx, req, &res.Cacheable)
	return res, err
}

// resourcesResult is the innermost handler of resources/list.
func (s *Server) resourcesResult(ctx context.Context, req *ListResourcesRequest) (Result, error) {
	p, reg := s.pagerFor(req.Session, &s.listRes), req.Session.reg
	res := &ListResourcesResult{Cacheable: p.hints, Resources: []*Resource{}}
	var err error
	res.NextCursor, err = collect(p, seenBy(req.Session.caller, reg.resources), req.Params.Cursor, func(r *resource) { res.Resources = append(res.Resources, r.listed()) })
	s.setCacheable(ctx, req, &res.Cacheable)
	return res, err
}

// templatesResult is the innermost handler of resources/templates/list.
func (s *Server) templatesResult(ctx context.Context, req *ListResourceTemplatesRequest) (Result, error) {
	p, reg := s.pagerFor(req.Session, &s.listTmpl), req.Session.reg
	res := &ListResourceTemplatesResult{Cacheable: p.hints, ResourceTemplates: []*ResourceTemplate{}}
	var err error
	res.NextCursor, err = collect(p, seenBy(req.Session.caller, reg.templates), req.Params.Cursor, func(t *resourceTemplate) { res.ResourceTemplates = append(res.ResourceTemplates, t.listed()) })
	s.setCacheable(ctx, req, &res.Cacheable)
	return res, err
}

// setCacheable lets the host decide the caching fields of a result.
func (s *Server) setCacheable(ctx context.Context, req Request, c *Cacheable) {
	if s.opts.SetCacheable != nil {
		s.opts.SetCacheable(ctx, req, c)
	}
}

// pagerFor returns the pager that writes the list l for the request of ss.
func (s *Server) pagerFor(ss *ServerSession, l *listing) pager {
	return pager{l, &s.identity.Load().heads[ss.rev.index], ss.rev, ss.bound, s.opts.Logger}
}

// collect passes the features of the page after cursor to add and returns the cursor of the next
// page.
func collect[T feature](p pager, f *featureSet[T], cursor string, add func(T)) (next string, err error) {
	start, ok := pageStart(f, p.listing, []byte(cursor))
	if !ok {
		return "", errCursor
	}
	report(p, f)
	on, end := cut(p, f.items, start)
	for _, item := range on {
		add(item)
	}
	if end < len(f.items) {
		text := appendCursor(nil, p.kind, f.items[end-1].key())
		next = string(text[1 : len(text)-1])
	}
	return next, nil
}

// discoverResult is the innermost handler of server/discover.
func (s *Server) discoverResult(ctx context.Context, req *DiscoverRequest) *DiscoverResult {
	res := &DiscoverResult{
		Cacheable:         s.opts.Cache.Discover,
		SupportedVersions: s.served.names(),
		Capabilities:      s.capabilities(req.Session.reg),
		Instructions:      s.instructions(req.Session.reg),
	}
	s.setCacheable(ctx, req, &res.Cacheable)
	return res
}

// runListChain answers the requests of runPage through the middleware.
func (c *Call) runListChain(ctx context.Context, w Sink) {
	var res Result
	var err error
	switch cursor := string(c.name); c.method {
	case MethodDiscover:
		res, err = chainResult(c, ctx, w, new(DiscoverParams))
	case MethodListTools:
		res, err = chainResult(c, ctx, w, &ListToolsParams{Cursor: cursor})
	case MethodListPrompts:
		res, err = chainResult(c, ctx, w, &ListPromptsParams{Cursor: cursor})
	case MethodListResources:
		res, err = chainResult(c, ctx, w, &ListResourcesParams{Cursor: cursor})
	case MethodListResourceTemplates:
		res, err = chainResult(c, ctx, w, &ListResourceTemplatesParams{Cursor: cursor})
	}
	if err != nil {
		c.fail(w, protocolError(err, c.rev))
		return
	}
	msg, err := c.appendList(c.buf[:0], res)
	if err != nil {
		c.failEncoding(w, err)
		return
	}
	c.respond(w, append(msg, `}}`...), 0)
}

// chainResult sends a request with the params through the middleware.
func chainResult[T any, P paramsOf[T]](c *Call, ctx context.Context, w Sink, params P) (Result, error) {
	x := new(exchange[T, P])
	x.params = *params
	ctx = x.open(c, ctx, w)
	return through[Result](c, ctx, &x.req)
}

// appendList appends the response for a result that came through middleware.
func (c *Call) appendList(dst []byte, res Result) ([]byte, error) {
	switch r := res.(type) {
	case *ListToolsResult:
		return appendEntries(c, dst, r.Meta, c.s.listTools.name, r.Tools, c.rev.wire.tool, r.NextCursor, r.Cacheable)
	case *ListPromptsResult:
		return appendEntries(c, dst, r.Meta, c.s.listPrm.name, r.Prompts, always(c.rev.wire.prompt), r.NextCursor, r.Cacheable)
	case *ListResourcesResult:
		return appendEntries(c, dst, r.Meta, c.s.listRes.name, r.Resources, always(c.rev.wire.resource), r.NextCursor, r.Cacheable)
	case *ListResourceTemplatesResult:
		return appendEntries(c, dst, r.Meta, c.s.listTmpl.name, r.ResourceTemplates, always(c.rev.wire.resourceTemplate), r.NextCursor, r.Cacheable)
	case *DiscoverResult:
		dst, err := c.head().appendStart(dst, c.id, r.Meta)
		if err != nil {
			return dst, err
		}
		if dst, err = appendMember(dst, `"supportedVersions":`, r.SupportedVersions); err != nil {
			return dst, err
		}
		if dst, err = appendMember(dst, `,"capabilities":`, r.Capabilities); err != nil {
			return dst, err
		}
		r.Cacheable.normalize()
		return appendHints(appendStringMember(dst, `,"instructions":`, r.Instructions), c.rev, r.Cacheable), nil
	}
	return dst, fmt.Errorf("mcp: middleware returned a %T for %s", res, c.method)
}

// always returns show as a function that returns an error, always nil.
func always[T any](show func(*T) *T) func(*T) (*T, error) {
	return func(v *T) (*T, error) { return show(v), nil }
}

// appendEntries appends the response with a list result, except for its closing braces. Show
// returns what the revision can write of an entry.
func appendEntries[T any](c *Call, dst []byte, meta Meta, name string, entries []*T, show func(*T) (*T, error), next string, hints Cacheable) ([]byte, error) {
	dst, err := c.head().appendStart(dst, c.id, meta)
	if err != nil {
		return dst, err
	}
	dst = append(jsonrpc.AppendString(dst, name), `:[`...)
	for i, entry := range entries {
		if i > 0 {
			dst = append(dst, ',')
		}
		if entry == nil {
			return dst, errNilContent
		}
		shown, err := show(entry)
		if err != nil {
			return dst, err
		}
		if dst, err = appendValue(dst, shown); err != nil {
			return dst, err
		}
	}
	dst = append(dst, ']')
	if next != "" {
		dst = jsonrpc.AppendString(append(dst, `,"nextCursor":`...), next)
	}
	c.normalize(&hints)
	return appendHints(dst, c.rev, hints), nil
}
