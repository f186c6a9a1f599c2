package mcp

import (
	"context"
	"fmt"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// With middleware, the results of the list methods and of server/discover pass through it as values
// and are encoded for each request.

// list is the innermost handler of the list methods.
func (s *Server) list(method string, req *ListToolsRequest) (Result, error) {
	ss, cursor := req.Session, []byte(req.Params.Cursor)
	reg := ss.reg
	pager := func(l *listing) pager { return pager{l, &s.heads[ss.rev.index], ss.rev, ss.bound, s.opts.Logger} }
	var err error
	switch methodOf([]byte(method)) {
	case MethodListTools:
		res := &ListToolsResult{Cacheable: s.listTools.hints, Tools: []*Tool{}}
		res.NextCursor, err = collect(pager(&s.listTools), reg.tools, cursor, func(t *tool) { res.Tools = append(res.Tools, t.def) })
		return res, err
	case MethodListPrompts:
		res := &ListPromptsResult{Cacheable: s.listPrm.hints, Prompts: []*Prompt{}}
		res.NextCursor, err = collect(pager(&s.listPrm), reg.prompts, cursor, func(p *prompt) { res.Prompts = append(res.Prompts, p.def) })
		return res, err
	case MethodListResources:
		res := &ListResourcesResult{Cacheable: s.listRes.hints, Resources: []*Resource{}}
		res.NextCursor, err = collect(pager(&s.listRes), reg.resources, cursor, func(r *resource) { res.Resources = append(res.Resources, r.def) })
		return res, err
	case MethodListResourceTemplates:
		res := &ListResourceTemplatesResult{Cacheable: s.listTmpl.hints, ResourceTemplates: []*ResourceTemplate{}}
		res.NextCursor, err = collect(pager(&s.listTmpl), reg.templates, cursor, func(t *resourceTemplate) { res.ResourceTemplates = append(res.ResourceTemplates, t.def) })
		return res, err
	}
	return nil, fmt.Errorf("mcp: middleware passed on a list request as %q", method)
}

// collect passes the features of the page after cursor to add and returns the cursor of the next
// page.
func collect[T feature](p pager, f *featureSet[T], cursor []byte, add func(T)) (next string, err error) {
	start, ok := pageStart(f, p.listing, cursor)
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
func (s *Server) discoverResult(r *registry) *DiscoverResult {
	res := &DiscoverResult{
		Cacheable:    s.opts.Cache.Discover,
		Capabilities: s.capabilities(r),
		Instructions: s.opts.Instructions,
	}
	for i := range revisions {
		res.SupportedVersions = append(res.SupportedVersions, revisions[i].name)
	}
	return res
}

// runListChain answers the requests of runPage through the middleware.
func (c *Call) runListChain(ctx context.Context, w Sink) {
	var res Result
	var err error
	if c.method == MethodDiscover {
		x := new(exchange[DiscoverParams])
		ctx = x.open(c, ctx, w)
		res, err = through[Result](c, ctx, &x.req)
	} else {
		x := new(exchange[ListParams])
		ctx = x.open(c, ctx, w)
		x.params.Cursor = string(c.name)
		res, err = through[Result](c, ctx, &x.req)
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
	hints.normalize()
	return appendHints(dst, c.rev, hints), nil
}
