package upstream

import (
	"sync"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
	"github.com/mooring-mcp/mooring/jsonrpc"
)

var _ link.Receiver = (*conn)(nil)

// Receive implements link.Receiver.
func (k *conn) Receive(on int64, msg []byte) {
	env := envelopes.Get().(*jsonrpc.Envelope)
	err := env.Decode(msg)
	switch {
	case err != nil:
		k.malformed(on, msg)
	case env.Kind == jsonrpc.KindRequest:
		k.question(on, env)
	case env.Kind == jsonrpc.KindNotification:
		k.notification(on, env)
	default:
		k.response(on, env)
	}
	*env = jsonrpc.Envelope{}
	envelopes.Put(env)
}

var envelopes = sync.Pool{New: func() any { return new(jsonrpc.Envelope) }}

// idOn returns the id of a response that came on a stream, or 0 if it is not for a request of ours
// there. An error without an id is for the request on whose stream it came.
func idOn(on int64, raw []byte) int64 {
	if raw == nil {
		return on
	}
	id, ok := jsonrpc.IntValue(raw)
	if !ok || id <= 0 || on != 0 && on != id {
		return 0
	}
	return id
}

// response takes a response to what waits for it. Others are counted.
func (k *conn) response(on int64, env *jsonrpc.Envelope) {
	s := k.srv
	id := idOn(on, env.ID)
	s.mu.Lock()
	p, ok := k.pending[id]
	if !ok {
		s.counts.Strays++
		s.unlock()
		return
	}
	delete(k.pending, id)
	if p.inner != nil && p.inner.parse != nil && env.Kind == jsonrpc.KindResult {
		// Nobody else knows what p refers to, so that the lock is not needed.
		s.mu.Unlock()
		p.inner.parse(env.Result)
		s.mu.Lock()
	}
	switch {
	case p.inner != nil:
		p.inner.done(env, nil)
	case p.late:
		k.calls--
		k.freed()
	default:
		k.calls--
		k.respond(p.call, env)
		k.freed()
	}
	s.unlock()
}

// malformed handles what is not a message of JSON-RPC. If it looks like the response to a call,
// the call ends.
func (k *conn) malformed(on int64, msg []byte) {
	s := k.srv
	id := on
	// The text may be anything, so that this is a guess. A wrong one ends a call of this upstream.
	if raw, ok := jsonrpc.Member(msg, "id"); ok {
		id = idOn(on, raw)
	}
	if _, ok := jsonrpc.Member(msg, "method"); ok {
		id = 0
	}
	s.mu.Lock()
	s.counts.Malformed++
	if p, ok := k.pending[id]; ok {
		delete(k.pending, id)
		k.fail(id, p, ErrMalformed)
	}
	s.unlock()
}

// Failed implements link.Receiver.
func (k *conn) Failed(id int64, err *link.Error) {
	s := k.srv
	s.mu.Lock()
	if p, ok := k.pending[id]; ok {
		delete(k.pending, id)
		k.fail(id, p, err)
	}
	s.unlock()
}

// Lost implements link.Receiver.
func (k *conn) Lost(err *link.Error) {
	s := k.srv
	s.mu.Lock()
	s.lost(k, err)
	s.unlock()
}

// lost ends k, whose link is gone.
func (s *Server) lost(k *conn, err *link.Error) {
	switch k.state {
	case connClosed:
		return
	case connOpening:
		k.gone = true
		k.openFailed(err, true)
		return
	}
	k.gone = true
	current := k.sess.conn == k
	k.end(err)
	if !current {
		return
	}
	s.counts.Lost++
	s.lostLink(k.sess, time.Since(k.opened), err)
}

// notification gives a notification to whom it belongs. Others are counted.
func (k *conn) notification(on int64, env *jsonrpc.Envelope) {
	s := k.srv
	s.mu.Lock()
	if k.state != connClosed {
		switch string(env.Method) {
		case "notifications/progress":
			k.progress(on, env.Params)
		case "notifications/message":
			k.message(on, env.Params)
		case "notifications/cancelled":
			k.withdraw(env.Params)
		case "notifications/tools/list_changed", "notifications/prompts/list_changed", "notifications/resources/list_changed":
			s.list.changed()
		case "notifications/resources/updated":
			s.subs.updated(k, env.Params)
		case "notifications/subscriptions/acknowledged":
			s.subs.acknowledged(k, on, env.Params)
		default:
			s.counts.Dropped++
		}
	}
	s.unlock()
}

// progress gives params to the call whose token they have.
func (k *conn) progress(on int64, params []byte) {
	raw, _ := jsonrpc.Member(params, "progressToken")
	token, ok := jsonrpc.IntValue(raw)
	p := k.pending[token]
	if !ok || p.call == nil || on != 0 && on != token || !p.call.progress() {
		k.srv.counts.Strays++
		return
	}
	p.call.begun = true
	if p.call.handler == nil { // parked
		return
	}
	params = oneLine(params)
	if p.call.ProgressToken != nil {
		params = restoreToken(params, p.call.ProgressToken)
	}
	k.srv.deliver(p.call, event{kind: eventProgress, data: params})
}

// message gives the params of a log message to the call that it belongs to, if that is certain and
// the call wants it.
func (k *conn) message(on int64, params []byte) {
	p := k.pending[on]
	if on == 0 {
		p = k.logger()
	}
	raw, _ := jsonrpc.Member(params, "level")
	name, _ := jsonrpc.StringValue(raw)
	level, ok := ParseLevel(name)
	if p.call == nil || !ok {
		k.srv.counts.Strays++
		return
	}
	p.call.begun = true
	if p.level.wants(level) && p.call.handler != nil {
		k.srv.deliver(p.call, event{kind: eventMessage, data: oneLine(params)})
	}
}

// logger returns the call that a message on the stream of the session belongs to. A modern
// upstream sends messages only for requests with a level; a legacy one sends them at any time, so
// that only a session of one front will do.
func (k *conn) logger() pending {
	var found pending
	if !k.modern && !k.exclusive() {
		return found
	}
	for id, p := range k.pending {
		switch {
		case p.inner != nil, p.level == LevelNone:
		case !k.modern && p.late: // the others are of the same front
		case found == (pending{}):
			found = p
		case k.modern:
			return pending{}
		case p.call != nil && id < found.call.id:
			found = p
		}
	}
	return found
}

// exclusive reports whether whatever comes on k can only be for one front: k is its own, or it
// has the only call in flight.
func (k *conn) exclusive() bool {
	s := k.srv
	return s.opts.Share == ShareClient && (k.sess.key.front != "" || k.calls == 1) || s.serial()
}
