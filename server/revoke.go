package server

import (
	"errors"
	"slices"
	"sync/atomic"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/internal/bearer"
	"github.com/mooring-mcp/mooring/jsonrpc"
)

// errRevoked is the cause of the end of a call whose caller was revoked.
var errRevoked = errors.New("server: the token of the caller was revoked")

// Revoke ends at once what callers have open for whose tokens f returns true: their streams, those
// of subscriptions/listen with their result, and their calls in flight, whose handlers' contexts
// end and whose clients get an error, with status 401 if nothing has been sent yet. It returns how
// many streams and calls these were. Revoke does not make tokens invalid: the host's verifier must
// refuse them from then on, and before it calls Revoke. Verdicts that the server has kept of the
// tokens are forgotten. A request that was verified before and that no event loop has begun to
// serve may still be served. Sessions stay: they are of their principal, whichever token it brings.
//
// Revoke calls f on all event loops at once, once for each token or call, so f must be quick, must
// not block and may be called concurrently. The TokenInfo is f's only until it returns; for a
// stream it has no Extra, and its Expiration is rounded to milliseconds. If f panics, that counts
// as false.
//
// Revoke returns when all event loops have done this, a slice at a time, or when the server has
// stopped. It may be called from any goroutine except that of a loop, such as an inline tool's.
func (s *Server) Revoke(f func(*auth.TokenInfo) bool) (n int) {
	s.forget(f)
	if !s.up.Load() {
		return 0
	}
	r := &revocation{f: f, done: make(chan struct{})}
	r.loops.Store(int64(len(s.loops)))
	for _, l := range s.loops {
		l.execute(l.guard(func() {
			l.present()
			l.revokes = append(l.revokes, &revokeWalk{revocation: r, calls: len(l.detached)})
			l.serveRevokes()
		}))
	}
	select {
	case <-r.done:
	case <-s.stopped:
	}
	return int(r.ended.Load())
}

// forget makes the server forget the verdicts that it has kept of tokens for which f returns true.
func (s *Server) forget(f func(*auth.TokenInfo) bool) {
	if s.auth == nil {
		return
	}
	s.auth.cache.forget(func(who *identity) (yes bool) {
		defer func() {
			if v := recover(); v != nil {
				s.opts.Logger.Error("server: the function given to Revoke panicked", "panic", v)
				yes = false
			}
		}()
		return who != nil && f(who.info)
	})
}

// A revocation is one call of Revoke.
type revocation struct {
	f     func(*auth.TokenInfo) bool
	ended atomic.Int64
	loops atomic.Int64 // that are not through
	done  chan struct{}
}

// A revokeWalk is the progress of a revocation on a loop.
type revokeWalk struct {
	*revocation
	slot   int // the next index in loop.slots
	calls  int // how many calls of loop.detached are still to be checked
	judged map[*holder]bool
}

// revokeCheck is what a call of f counts for, in a slice of drainSlice*drainLook.
const revokeCheck = 8

// serveRevokes continues the first revocation with a slice.
func (l *loop) serveRevokes() {
	if len(l.revokes) == 0 {
		return
	}
	w := l.revokes[0]
	budget := drainSlice * drainLook
	for ; w.slot < len(l.slots) && budget > 0; budget-- {
		c := l.slots[w.slot]
		w.slot++
		if c != nil {
			l.serving = c
			budget -= c.revoke(w)
		}
	}
	l.serving = nil
	for ; w.slot >= len(l.slots) && w.calls > 0 && budget > 0; budget-- {
		w.calls-- // calls that end leave the list, so the others only move down
		if w.calls < len(l.detached) {
			budget -= l.revokeDetached(w, l.detached[w.calls])
		}
	}
	if w.slot < len(l.slots) || w.calls > 0 {
		l.continueLater()
		return
	}
	if l.revokes = slices.Delete(l.revokes, 0, 1); len(l.revokes) > 0 {
		l.continueLater()
	}
	if w.loops.Add(-1) == 0 {
		close(w.done)
	}
}

// judge calls f.
func (l *loop) judge(w *revokeWalk, ti *auth.TokenInfo) (yes bool) {
	defer func() {
		if v := recover(); v != nil {
			l.srv.logPanic(l, v)
			yes = false
		}
	}()
	return w.f(ti)
}

// judgeHolder calls f once for each holder.
func (l *loop) judgeHolder(w *revokeWalk, h *holder) bool {
	yes, known := w.judged[h]
	if !known {
		if w.judged == nil {
			w.judged = make(map[*holder]bool)
		}
		yes = l.judge(w, h.info())
		w.judged[h] = yes
	}
	return yes
}

// revoke ends the stream or the request of c if it is of somebody who is revoked. It returns what
// that counts for.
func (c *conn) revoke(w *revokeWalk) (cost int) {
	l, x := c.loop, c.x
	if c.state == connStateStream {
		h := l.holders.at(c.slot)
		switch {
		case h == nil:
			return 0
		case !l.judgeHolder(w, h):
			return revokeCheck
		}
		w.ended.Add(1)
		c.endEarly(l.now)
		return drainLook
	}
	if c.state != connStateBody && c.state != connStateCall || x == nil || x.requestState == nil {
		return 0
	}
	who, j := c.who(), x.job
	if j != nil {
		who = j.who // c may have moved here from net/http, which knew its caller
	}
	switch {
	case who == nil:
		return 0
	case !l.judge(w, who.info):
		return revokeCheck
	}
	w.ended.Add(1)
	x.challenge = bearer.AppendChallenge(x.challenge[:0], &bearer.Challenge{
		Error: bearer.InvalidToken, Description: errTokenRevoked.Message, Metadata: l.srv.metadataOf(c.svc.path),
	})
	switch {
	case j == nil: // its content is arriving
		c.flags |= flagClose | flagUnread
		c.refuse(l.now, 401, errTokenRevoked.Message)
		c.flush()
	case j.legacy.earlier:
		l.revokeCall(j)
	default:
		x.job = nil
		j.cancel(errRevoked)
		l.count(j.method, outcomeCancelled)
		c.respondError(401, j.id, errTokenRevoked)
		c.finish(l.now)
		c.resume(l.now)
	}
	return drainLook
}

// revokeDetached ends a call without a connection if it is of somebody who is revoked. It returns
// what that counts for.
func (l *loop) revokeDetached(w *revokeWalk, r jobRef) (cost int) {
	j := r.job
	switch {
	case j.gen != r.gen || j.who == nil || j.legacy.phase == phaseAnswered || j.legacy.phase == phaseTimedOut:
		return 0
	case !l.judge(w, j.who.info):
		return revokeCheck
	}
	w.ended.Add(1)
	if j.legacy.link != linkSSE {
		l.revokeCall(j)
		return drainLook
	}
	j.cancel(errRevoked)
	if j.id != nil {
		l.sendSSE(j, jsonrpc.AppendError(nil, j.id, errTokenRevoked))
	}
	l.endSSECall(j, outcomeCancelled)
	return drainLook
}

// revokeCall ends a call of an earlier revision as timeOut does.
func (l *loop) revokeCall(j *job) {
	switch j.legacy.phase {
	case phaseTimedOut, phaseAnswered:
	case phaseParked:
		l.count(j.method, outcomeCancelled)
		l.endParked(j, errTokenRevoked.Message)
		j.setPhase(phaseTimedOut)
	default:
		l.count(j.method, outcomeCancelled)
		j.setPhase(phaseTimedOut)
		j.cancel(errRevoked)
		l.emit(j, 401, errTokenRevoked.Code, jsonrpc.AppendError(nil, j.id, errTokenRevoked), true)
	}
}
