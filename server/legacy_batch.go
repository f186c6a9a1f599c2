package server

import (
	"context"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

// maxBatch is the maximum number of messages in a batch.
const maxBatch = 100

var errBatch = &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: "initialize cannot be part of a batch"}

// batch serves an array of messages, which only revision 2025-03-26 has. It reports false if the
// session does not know batches: then the array is not a message at all.
func (c *conn) batch(now tick, j *job) bool {
	c.openSession(j)
	lc := &j.legacy
	if lc.membership != membershipNone && j.meta.Duplicate {
		c.refuseLegacy(now, j, 400, errTwice)
		return true
	}
	if lc.membership != membershipMember || !mcp.AllowsBatches(lc.ticket.Info.Revision) || !c.loop.srv.versionAllowed(j.meta.ProtocolVersion) {
		return false
	}
	lc.earlier = true
	j.spent = 0 // by the head, which knows of one message
	detachMeta(&j.meta)
	c.startCall(now, j, (*job).runBatch)
	return true
}

// runBatch serves the messages of a batch one after another, and answers with the array of the
// responses.
func (j *job) runBatch() {
	defer j.contain()
	b, err := jsonrpc.DecodeBatch(j.content.B)
	if err == nil && b.Len() > maxBatch {
		err = &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: "too many messages in a batch"}
	}
	if e := asError(err); e != nil {
		j.respond(400, e.Code, jsonrpc.AppendError(nil, nil, e))
		return
	}
	if !j.derive() {
		return
	}
	j.meta.Context = j.derived
	sink := &batchSink{j: j, out: []byte{'['}}
	var m jsonrpc.Envelope
	if d := j.denyBatch(b); d != nil {
		j.refuseBatch(b, d)
		return
	}
	for err := range b.Messages(&m) {
		if e := asError(err); e != nil {
			sink.add(jsonrpc.AppendError(nil, m.ID, e))
			continue
		}
		j.runBatched(&m, sink)
	}
	switch e := sink.excess; {
	case len(sink.out) == 1:
		j.respond(202, 0, nil)
	case e.exceeds() && sink.others == 0 && j.legacy.to == nil:
		j.retry = e.retry
		j.respond(429, e.error().Code, append(sink.out, ']'))
	default:
		j.respond(200, 0, append(sink.out, ']'))
	}
}

// runBatched serves one message of a batch.
func (j *job) runBatched(m *jsonrpc.Envelope, sink *batchSink) {
	s, k := j.loop.srv, j.legacy.ticket.Key
	var call mcp.Call
	if e := j.svc.mcp.Prepare(&call, m, &j.meta); e != nil {
		sink.add(jsonrpc.AppendError(nil, m.ID, e))
		return
	}
	sink.id = call.ID()
	if e := j.overspends(&call); e.exceeds() {
		if sink.excess = e; m.Kind == jsonrpc.KindRequest {
			sink.add(jsonrpc.AppendError(nil, m.ID, e.error()))
		}
		call.Reset()
		return
	}
	sink.others++
	switch call.Kind() {
	case mcp.CallInitialize, mcp.CallListen:
		sink.add(jsonrpc.AppendError(nil, m.ID, errBatch))
	case mcp.CallNotification:
		if id := call.Cancelled(); id != nil {
			s.cancelCall(k, s.tick(), id)
		}
		call.Run(j.derived, sink)
	case mcp.CallAnswer:
		s.deliverAnswer(k, s.tick(), m)
	case mcp.CallSession:
		if !call.Inline() {
			j.runMember(&call, sink)
			return
		}
		if e := j.svc.applyOp(s.tick(), j, call.Op()); e != nil {
			sink.add(jsonrpc.AppendError(nil, m.ID, e))
			return
		}
		call.Run(j.derived, sink)
	default:
		if call.Inline() {
			call.Run(j.derived, sink)
			return
		}
		j.runMember(&call, sink)
	}
}

// runMember runs a request of a batch. The client can cancel it without the rest of the batch:
// while it is served, it is among the calls of its session.
func (j *job) runMember(call *mcp.Call, sink *batchSink) {
	t, k := j.loop.srv.sessions, j.legacy.ticket.Key
	ctx, stop := context.WithCancelCause(j.derived)
	defer stop(context.Canceled)
	now := j.loop.srv.tick()
	t.RegisterPart(k, string(call.ID()), j, j.gen, &stop, now)
	defer t.UnregisterPart(k, &stop, now)
	call.Run(ctx, sink)
}

// batchSink collects the responses of a batch. It cannot ask the client, because a batch is over
// before questions could be answered.
type batchSink struct {
	j   *job
	out []byte
	id  []byte // id of the message that is served

	excess excess // of a message that was more than its client may send; zero if there was none
	others int    // messages that were not
}

func (s *batchSink) add(msg []byte) {
	if len(s.out) > 1 {
		s.out = append(s.out, ',')
	}
	s.out = append(s.out, msg...)
}

// Notify implements mcp.Sink.
func (s *batchSink) Notify(msg []byte) bool { return s.j.Notify(msg) }

// Respond implements mcp.Sink. MaxResponse holds for all responses together.
func (s *batchSink) Respond(msg []byte, _ jsonrpc.Code) {
	if n := len(s.out) + len(msg); n > s.j.loop.srv.opts.MaxResponse {
		msg = jsonrpc.AppendError(nil, s.id, errTooLarge(n))
	}
	s.add(msg)
}

// denyBatch returns why a batch is refused for the scopes that one of its messages needs, nil if it
// is not.
func (j *job) denyBatch(b jsonrpc.Batch) *denial {
	s := j.loop.srv
	if s.scopes == nil && !j.svc.mcp.Scoped() {
		return nil
	}
	var m jsonrpc.Envelope
	var call mcp.Call
	for err := range b.Messages(&m) {
		if err != nil {
			continue // it is answered with the error when the others are served
		}
		if j.svc.mcp.Prepare(&call, &m, &j.meta) == nil {
			if d := s.deny(j, &call, true); d != nil {
				call.Reset()
				return d
			}
		}
		call.Reset()
	}
	return nil
}

// refuseBatch answers all requests of a batch that was refused for its caller. Over HTTP+SSE the
// POST has been answered, so the stream gets the errors.
func (j *job) refuseBatch(b jsonrpc.Batch, d *denial) {
	sink := &batchSink{j: j, out: []byte{'['}}
	var m jsonrpc.Envelope
	for err := range b.Messages(&m) {
		if err == nil && m.Kind == jsonrpc.KindRequest {
			sink.add(jsonrpc.AppendError(nil, m.ID, d.err))
		}
	}
	msg := append(sink.out, ']')
	if len(msg) == len("[]") {
		msg = jsonrpc.AppendError(nil, nil, d.err)
	}
	status := d.status
	if j.legacy.to != nil {
		status = 200
	}
	j.challenge = d.challenge
	j.respond(status, d.err.Code, msg)
}
