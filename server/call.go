package server

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"github.com/mooring-mcp/mooring/sse"
)

// Why the context of a call ended, by context.Cause.
var (
	errClientGone  = errors.New("server: the client closed the connection")
	errCallTimeout = errors.New("server: the call took longer than its time limit")
	errShutdown    = errors.New("server: the server is shutting down")
)

// bigContent is the length of content above which a worker decodes it: a loop is not held longer than some 100 µs.
const bigContent = 16 << 10

// job is one message from its content to its response. Its loop owns it, but for the time a worker runs it: then the loop may only cancel it.
// Whoever ends Run posts itemReturn, and with it the loop takes everything back.
type job struct {
	loop      *loop
	h         handle
	method    mcp.Method // what the loop knows of it; MethodOther while only a worker can tell
	id        []byte     // of the request, likewise; JSON text in content
	content   *buffer    // the message; the call aliases it
	msg       jsonrpc.Message
	call      mcp.Call
	meta      mcp.RequestMeta
	stream    bool // the client takes an event stream
	json      bool // and a single message
	ctx       context.Context
	stop      context.CancelCauseFunc
	worker    *worker        // that runs it
	prepped   bool           // what it ran was prepareBig
	preparing bool           // it runs prepareBig; the loop's
	handed    bool           // a handler on a worker has seen content: it is never used again
	refusal   *jsonrpc.Error // of Prepare
	queued    atomic.Int64   // bytes of notifications posted and not yet with the socket
	unsent    atomic.Int64   // bytes with the socket that the kernel has not taken, when last looked at
	full      atomic.Bool    // the loop has been told that there is no room
	mu        sync.Mutex     // orders the posts of Notify and Respond
	done      bool           // Respond was called; guarded by mu
	answer    []byte         // what it was called with: with status and code the loop's after itemReturn
	status    int            // of HTTP
	code      jsonrpc.Code
	gen       uint32 // tells the job from an earlier use
	legacy    legacyCall
}

const keepJobs = 256

// frameRoom is what an event adds to its message at most, for messages that are counted before they are framed.
const frameRoom = 96

func (l *loop) takeJob() *job {
	if n := len(l.jobs); n > 0 {
		j := l.jobs[n-1]
		l.jobs[n-1] = nil
		l.jobs = l.jobs[:n-1]
		return j
	}
	return &job{loop: l}
}

func (l *loop) putJob(j *job) {
	l.unregister(j)
	if j.legacy.loose {
		l.srv.loose.Add(-1)
	}
	j.legacy = legacyCall{ticket: ticket{info: mcp.SessionInfo{ClientName: j.legacy.ticket.info.ClientName}}} // see UnmarshalBinary
	j.gen++
	if j.handed {
		j.content = nil // a handler that has returned may have left its arguments, which alias it, with a goroutine
	} else {
		j.content = release(j.content)
	}
	j.handed = false
	j.call.Reset()
	j.msg = jsonrpc.Message{}
	j.meta = mcp.RequestMeta{}
	j.h, j.method, j.id, j.ctx, j.stop, j.worker, j.done, j.prepped, j.refusal = handle{}, mcp.MethodOther, nil, nil, nil, nil, false, false, nil
	j.answer, j.status, j.code = nil, 0, 0
	j.queued.Store(0)
	j.unsent.Store(0)
	j.full.Store(false)
	if len(l.jobs) < keepJobs {
		l.jobs = append(l.jobs, j)
	}
}

// cancel ends the context of a call that a worker runs.
func (j *job) cancel(cause error) {
	if j.stop != nil {
		j.stop(cause)
	}
}

// message serves the content of a request for the MCP endpoint.
func (c *conn) message(now tick) {
	l, x := c.loop, c.x
	if l.req.DuplicateMCP && x.content != nil && jsonrpc.IsBatch(x.content.B) {
		c.refuse(now, 400, "field line sent more than once") // a message alone is refused with its id
		return
	}
	j := l.takeJob()
	j.h, j.stream, j.json = c.handle(), x.verdict.Stream, x.verdict.JSON
	j.content, x.content = x.content, nil
	if j.content == nil {
		j.content = takeBuffer(0) // a POST without content: no JSON at all
	}
	meta := &j.meta
	meta.HTTP, meta.MaxResponse = true, l.srv.opts.MaxResponse
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
	j.refusal = j.prepare(l.srv.mcp)
	c.dispatch(now, j)
}

// dispatch serves a message that was prepared, or refused.
func (c *conn) dispatch(now tick, j *job) {
	l, x := c.loop, c.x
	if j.legacy.carried {
		c.dispatchCarried(now, j)
		return
	}
	j.legacy.on = j.legacy.known && !j.call.ClaimsModern() || j.call.Legacy()
	if status, e := j.misplaced(); e != nil {
		c.refuseLegacy(now, j, status, e)
		return
	}
	if j.refusal != nil {
		c.refuseMessage(now, j, j.refusal)
		return
	}
	j.method, j.id = j.call.Method(), j.call.ID()
	if j.legacy.on && l.srv.opts.ModernOnly {
		c.refuseLegacy(now, j, 400, errModernOnly(j.msg.Params))
		return
	}
	if j.legacy.on && !c.beginLegacy(now, j) {
		return
	}
	switch j.call.Kind() {
	case mcp.CallNotification:
		c.accepted(now, j)
	case mcp.CallListen:
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

// prepare decodes the message and readies the call.
func (j *job) prepare(s *mcp.Server) *jsonrpc.Error {
	if err := j.msg.Decode(j.content.B); err != nil {
		return asError(err)
	}
	return s.Prepare(&j.call, &j.msg, &j.meta)
}

// asError returns err as what answers the message; nil for nil.
func asError(err error) *jsonrpc.Error {
	var e *jsonrpc.Error
	if err != nil && !errors.As(err, &e) {
		e = &jsonrpc.Error{Code: jsonrpc.CodeParseError, Message: "parse error"}
	}
	return e
}

// refuseMessage answers a message that was refused before its method ran.
func (c *conn) refuseMessage(now tick, j *job, e *jsonrpc.Error) {
	c.loop.count(j.call.Method(), outcomeRefused)
	c.respondError(j.call.Status(e.Code), j.msg.ID, e)
	c.loop.putJob(j)
	c.finish(now)
}

// accepted answers a notification.
func (c *conn) accepted(now tick, j *job) {
	l := c.loop
	l.count(j.call.Method(), outcomeOK)
	c.accept()
	l.putJob(j)
	c.finish(now)
}

// respondError makes the response for an error of this package or of Prepare.
func (c *conn) respondError(status int, id []byte, e *jsonrpc.Error) {
	l := c.loop
	l.event = jsonrpc.AppendError(l.event[:0], id, e)
	c.respond(status, l.event)
}

// respond makes the response of the exchange in loop.out: a message in JSON, or the last event of the stream if one has begun or the client takes nothing else.
func (c *conn) respond(status int, msg []byte) {
	x, l := c.x, c.loop
	if !x.began && (x.verdict.JSON || status != 200) {
		h := c.respHead(status)
		l.out = endpoint.AppendHead(l.out, &h, endpoint.TypeJSON, len(msg))
		l.out = append(l.out, msg...)
		return
	}
	c.beginStream()
	c.appendEvent(msg)
	c.endEvents()
}

// beginStream makes the exchange an event stream.
func (c *conn) beginStream() {
	x := c.x
	if x.began {
		return
	}
	x.began = true
	if c.has(flagHTTP10) {
		c.flags |= flagClose // its end is the end of the connection
	}
	h := c.respHead(200)
	c.loop.out = endpoint.AppendStreamHead(c.loop.out, &h, !c.has(flagHTTP10))
}

// appendEvent puts msg on the stream in loop.out.
func (c *conn) appendEvent(msg []byte) {
	l := c.loop
	if c.has(flagHTTP10) {
		l.out = sse.AppendData(l.out, msg)
		return
	}
	frame := sse.AppendData(l.frame[:0], msg)
	l.out = endpoint.AppendChunk(l.out, frame)
	if cap(frame) > keepOut {
		frame = nil
	}
	l.frame = frame
}

func (c *conn) appendHeartbeat() {
	if c.has(flagHTTP10) {
		c.loop.out = append(c.loop.out, endpoint.Heartbeat...)
	} else {
		c.loop.out = append(c.loop.out, endpoint.HeartbeatChunk...)
	}
}

func (c *conn) endEvents() {
	if !c.has(flagHTTP10) {
		c.loop.out = append(c.loop.out, endpoint.LastChunk...)
	}
}

// inlineSink takes the messages of a call that runs on the loop.
type inlineSink struct{ c *conn }

// Notify implements mcp.Sink.
func (s *inlineSink) Notify(msg []byte) bool {
	c := s.c
	if c == nil || !c.x.verdict.Stream || len(c.loop.out) > c.loop.srv.opts.MaxUnsent {
		return false
	}
	c.beginStream()
	c.appendEvent(msg)
	return true
}

// Respond implements mcp.Sink.
func (s *inlineSink) Respond(msg []byte, code jsonrpc.Code) {
	c := s.c
	j := c.x.job
	status := j.call.Status(code)
	if len(msg) > c.loop.srv.opts.MaxResponse {
		code = jsonrpc.CodeInternalError
		status = j.call.Status(code)
		msg = jsonrpc.AppendError(nil, j.call.ID(), errTooLarge(len(msg)))
	}
	c.loop.count(j.call.Method(), outcomeOf(code))
	c.respond(status, msg)
}

// RespondPage implements mcp.PageSink: the page goes to the socket as it is, between the bytes that the turn makes.
func (s *inlineSink) RespondPage(head, page []byte) {
	c := s.c
	l, x := c.loop, c.x
	n := len(head) + len(page)
	asJSON := !x.began && x.verdict.JSON
	if n > l.srv.opts.MaxResponse || l.page != nil || !asJSON && (bytes.IndexByte(page, '\n') >= 0 || bytes.IndexByte(page, '\r') >= 0) {
		s.Respond(append(bytes.Clone(head), page...), 0)
		return
	}
	l.count(x.job.call.Method(), outcomeOK)
	const field, end = "data: ", "\n\n"
	if asJSON {
		h := c.respHead(200)
		l.out = endpoint.AppendHead(l.out, &h, endpoint.TypeJSON, n)
	} else {
		c.beginStream()
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

func outcomeOf(code jsonrpc.Code) outcome {
	if code == 0 {
		return outcomeOK
	}
	return outcomeError
}
