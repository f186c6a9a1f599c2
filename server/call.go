package server

import (
	"bytes"
	"context"
	"strconv"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
)

// message serves the content of a request to the MCP endpoint.
func (c *conn) message(now tick) {
	l, x := c.loop, c.x
	if l.req.DuplicateMCP && x.content != nil && jsonrpc.IsBatch(x.content.B) {
		// A batch is refused as a whole. A single message is refused later, with its ID.
		c.refuse(now, 400, "field line sent more than once")
		return
	}
	j := l.takeJob()
	j.svc = c.svc.hold()
	j.h, j.stream, j.json = c.handle(), x.verdict.Stream, x.verdict.JSON
	j.content, x.content = x.content, nil
	if j.content == nil {
		j.content = takeBuffer(0) // a POST without content is not JSON
	}
	meta := &j.meta
	c.introduce(j)
	meta.HTTP, meta.Endpoint, meta.MaxResponse = true, c.svc.path, l.srv.opts.MaxResponse
	meta.ProtocolVersion, meta.Method, meta.Name = l.req.MCPProtocolVersion, l.req.MCPMethod, l.req.MCPName
	meta.Duplicate = l.req.DuplicateMCP
	if l.req.HasMCPParam {
		meta.Params = paramFields(&l.req)
	}
	if jsonrpc.IsBatch(j.content.B) && c.batch(now, j) {
		return
	}
	c.openSession(j)
	if len(j.content.B) > bigContent {
		detachMeta(meta)
		c.startPreparing(now, j)
		return
	}
	meta.NoWait = true
	j.refusal = j.prepare()
	c.dispatch(now, j)
}

// dispatch serves a message that has been prepared or refused.
func (c *conn) dispatch(now tick, j *job) {
	l, x := c.loop, c.x
	if j.call.Kind() == mcp.CallUnprepared {
		j.call.Reset()
		detachMeta(&j.meta)
		c.startPreparing(now, j)
		return
	}
	if j.legacy.link == linkSSE {
		c.dispatchSSE(now, j)
		return
	}
	j.legacy.earlier = j.legacy.membership == membershipMember && !j.call.ClaimsModern() || j.call.Legacy()
	if status, e := j.misplaced(); e != nil {
		c.refuseLegacy(now, j, status, e)
		return
	}
	if j.refusal != nil {
		c.refuseMessage(now, j, j.refusal)
		return
	}
	j.method, j.id = j.call.Method(), j.call.ID()
	if j.legacy.earlier && l.srv.opts.ModernOnly {
		c.refuseLegacy(now, j, 400, errModernOnly(j.msg.Params))
		return
	}
	if d := l.srv.deny(j, &j.call, j.legacy.earlier); d != nil {
		c.refuseDenied(now, j, d)
		return
	}
	if e := j.overspends(&j.call); e.exceeds() {
		c.refuseExcess(now, j, e)
		return
	}
	if j.legacy.earlier && !c.beginLegacy(now, j) {
		return
	}
	c.dropStream(j)
	switch j.call.Kind() {
	case mcp.CallNotification:
		if !j.call.Inline() {
			c.startCall(now, j, (*job).run)
			return
		}
		c.accepted(now, j)
	case mcp.CallListen:
		if !j.call.Inline() {
			c.startCall(now, j, (*job).run)
			return
		}
		c.listen(now, j)
		l.putJob(j)
	default:
		if !j.call.Inline() {
			c.startCall(now, j, (*job).run)
			return
		}
		x.job = j
		l.inline.c = c
		j.call.Run(context.Background(), &l.inline)
		l.inline.c = nil
		x.job = nil
		l.putJob(j)
		c.finish(now)
	}
}

// prepare decodes the message and prepares the call.
func (j *job) prepare() *jsonrpc.Error {
	if err := j.msg.Decode(j.content.B); err != nil {
		return asError(err)
	}
	return j.svc.mcp.Prepare(&j.call, &j.msg, &j.meta)
}

// inlineSink receives the messages of a call that runs on the loop.
type inlineSink struct{ c *conn }

// Notify implements mcp.Sink.
func (s *inlineSink) Notify(msg []byte) bool {
	c := s.c
	if c == nil || !c.x.verdict.Stream || len(c.loop.out) > c.loop.srv.opts.MaxUnsent {
		return false
	}
	c.writeStreamHead()
	c.appendEvent(msg)
	return true
}

// Respond implements mcp.Sink.
func (s *inlineSink) Respond(msg []byte, code jsonrpc.Code) {
	c := s.c
	j := c.x.job
	msg, code = c.loop.srv.opts.limitResponse(&j.call, msg, code)
	c.loop.count(j.call.Method(), outcomeOf(code))
	c.respond(j.call.Status(code), msg)
}

// RespondPage implements mcp.PageSink. The page goes to the socket without a copy, between the
// bytes that the turn produces.
func (s *inlineSink) RespondPage(head, page []byte) {
	c := s.c
	l, x := c.loop, c.x
	n := len(head) + len(page)
	asJSON := !x.began && x.verdict.JSON
	if n > l.srv.opts.MaxResponse || l.page != nil ||
		!asJSON && (bytes.IndexByte(page, '\n') >= 0 || bytes.IndexByte(page, '\r') >= 0) {
		s.Respond(append(bytes.Clone(head), page...), 0)
		return
	}
	l.count(x.job.call.Method(), outcomeOK)
	const field, end = "data: ", "\n\n"
	if asJSON {
		h := c.respHead(200)
		l.out = endpoint.AppendHead(l.out, &h, endpoint.TypeJSON, n)
	} else {
		c.writeStreamHead()
		if !c.has(flagHTTP10) {
			l.out = strconv.AppendUint(l.out, uint64(len(field)+n+len(end)), 16)
			l.out = append(l.out, "\r\n"...)
		}
		l.out = append(l.out, field...)
	}
	l.out = append(l.out, head...)
	l.page, l.pageAt = page, len(l.out)
	if asJSON {
		return
	}
	l.out = append(l.out, end...)
	if !c.has(flagHTTP10) {
		l.out = append(l.out, "\r\n"...)
	}
	c.endEvents()
}
