package mcp

import (
	"context"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// shapeList checks the params of the list methods.
func shapeList(c *Call) *jsonrpc.Error {
	if c.p.cursor == nil {
		return nil
	}
	cursor, ok := stringOf(c.p.cursor)
	if !ok {
		return invalidParams("cursor must be a string")
	}
	c.name = cursor
	return nil
}

// listsInline reports whether lists and the result of server/discover are encoded before they are
// asked for: nothing of the host's takes part in the answer.
func (c *Call) listsInline() bool { return !c.chained && c.s.opts.SetCacheable == nil }

// bindList finds the page that the request asks for.
func bindList[T feature](c *Call, f *featureSet[T], l *listing) *jsonrpc.Error {
	f = seenBy(c.caller, f)
	start, ok := pageStart(f, l, c.name)
	if !ok {
		return errCursor
	}
	if c.inline = c.listsInline(); c.inline {
		c.page = page(c.pager(l), f, start)
	}
	return nil
}

// pageStart returns the index of the first feature after cursor, which may be empty. It returns
// false if the cursor is not valid.
func pageStart[T feature](f *featureSet[T], l *listing, cursor []byte) (start int, ok bool) {
	if len(cursor) == 0 {
		return 0, true
	}
	key, ok := cursorKey(cursor, l.kind)
	if !ok {
		return 0, false
	}
	start, found := f.find(key)
	if found {
		start++
	}
	return start, true
}

func bindListTools(c *Call, _ *RequestMeta) *jsonrpc.Error {
	return bindList(c, c.reg.tools, &c.s.listTools)
}

func bindListResources(c *Call, _ *RequestMeta) *jsonrpc.Error {
	return bindList(c, c.reg.resources, &c.s.listRes)
}

func bindListResourceTemplates(c *Call, _ *RequestMeta) *jsonrpc.Error {
	return bindList(c, c.reg.templates, &c.s.listTmpl)
}

func bindListPrompts(c *Call, _ *RequestMeta) *jsonrpc.Error {
	return bindList(c, c.reg.prompts, &c.s.listPrm)
}

// bindDiscover finds the response to server/discover.
func bindDiscover(c *Call, _ *RequestMeta) *jsonrpc.Error {
	if c.inline = c.listsInline(); c.inline {
		c.page = c.s.discovery(c.reg, c.rev)
	}
	return nil
}

// discovery returns the text of the response to server/discover after its id.
func (s *Server) discovery(r *registry, rev *revision) []byte {
	d := &r.discover[rev.index]
	d.once.Do(func() {
		b := append([]byte(nil), s.identity.Load().heads[rev.index].complete...)
		b = s.served.appendNames(append(b, `"supportedVersions":`...))
		b = s.appendCapabilities(append(b, `,"capabilities":`...), r, rev)
		if text := s.instructions(r); text != "" {
			b = jsonrpc.AppendString(append(b, `,"instructions":`...), text)
		}
		d.body = append(appendHints(b, rev, s.opts.Cache.Discover), `}}`...)
	})
	return d.body
}

// maxCopiedPage is the length of a page above which a [PageSink] gets it without a copy.
const maxCopiedPage = 8 << 10

// runPage answers with a response that has been encoded before.
func runPage(c *Call, ctx context.Context, w Sink) {
	if !c.inline {
		c.runListChain(ctx, w)
		return
	}
	if ps, ok := w.(PageSink); ok && len(c.page) > maxCopiedPage {
		c.answered = true
		c.buf = appendID(c.buf[:0], c.id)
		ps.RespondPage(c.buf, c.page)
		return
	}
	c.respond(w, append(appendID(c.buf[:0], c.id), c.page...), 0)
}
