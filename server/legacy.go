package server

import (
	"errors"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/server/internal/session"
)

// The files legacy*.go serve the revisions before 2026-07-28. A call of one of them differs from a
// modern call in three ways: a disconnect does not end it, other connections can cancel and answer
// it, and it can ask its client something and wait. While it waits it holds no goroutine.
//
// This file has the states of such a call, the refusals, and what a loop serves for sessions.

// legacyCall is the part of a job that only messages of earlier revisions have.
type legacyCall struct {
	// The loop writes these before a worker gets the job, and nobody afterwards. Both may read them.
	earlier    bool // the message is of an earlier revision, which is known once it is decoded
	membership membership
	ticket     session.Ticket // valid for members
	to         *loop          // over HTTP+SSE: the loop of the session's stream; otherwise nil

	// Only the loop uses these.
	link       link
	phase      phase
	key        string // the JSON text of the request's id; empty if the call cannot be cancelled
	registered bool   // the session's entry in the table names the call
	stream     uint64 // names the event stream in event ids; 0: its events have no ids
	due        tick   // when the call times out, once it has lost its connection

	// The worker writes these while it runs the handler, and the loop from the first answer on. The
	// locks of the session and of the inbox order them.
	waiting   int    // answers that have not arrived
	responses []byte // the answers so far: members of a JSON object

	waiters *waiters // questions for whose answers handlers wait; nil for none. job.mu guards it
}

// membership says which session a message belongs to.
type membership uint8

const (
	membershipNone      membership = iota // it names no session
	membershipUnknown                     // the id that it names cannot be opened, or was deleted
	membershipMember                      // it belongs to the session of its ticket
	membershipStateless                   // it needs no session, as the handler has none
)

// setMembership sets the membership of j. If j is a member, mcp gets the session, whose id is id.
func (j *job) setMembership(m membership, id []byte) {
	j.legacy.membership = m
	if m == membershipMember {
		j.meta.Session, j.meta.SessionID = &j.legacy.ticket.Info, string(id)
	}
}

// inSession reports whether the message is of an earlier revision and of a session of ours.
func (lc *legacyCall) inSession() bool {
	return lc.earlier && lc.membership == membershipMember
}

// link says where the messages of a call go.
type link uint8

const (
	linkAttached link = iota // to the connection of its request
	linkDetached             // that connection is gone: to the replay, and to a stream that resumes it
	linkLost                 // likewise, but a message was dropped, and its client cannot get it again
	linkSSE                  // to the stream of its session, from the beginning: HTTP+SSE
)

// loose reports whether a call with this link counts in Server.loose.
func (to link) loose() bool { return to == linkDetached || to == linkLost }

// setLink sets the link of j and keeps Server.loose exact. If j begins to count there, setLink
// returns the new count, otherwise 0.
func (j *job) setLink(to link) (loose int64) {
	was := j.legacy.link.loose()
	j.legacy.link = to
	switch {
	case to.loose() && !was:
		return j.loop.srv.loose.Add(1)
	case was && !to.loose():
		j.loop.srv.loose.Add(-1)
	}
	return 0
}

// phase says how far a call has come.
//
//	running ⇄ parked            the handler asked its client; the answers are there, or will not come
//	running ► left ► running    the client left while a worker decoded the message
//	running, parked ► timedOut ► answered
//	running, parked ► answered  a parked one only over HTTP+SSE, without its handler
type phase uint8

const (
	phaseRunning  phase = iota // a worker has it, or its answer is on its way to the loop
	phaseLeft                  // a worker decodes it, and its client has disconnected meanwhile
	phaseParked                // it waits for its client's answers, without a worker
	phaseTimedOut              // its end is counted as a timeout; the answer is on its way
	phaseAnswered              // its answer was sent, maybe while its handler still runs
)

// setPhase sets the phase of j.
func (j *job) setPhase(p phase) { j.legacy.phase = p }

// errCancelled is the cause of the end of a call that its client cancelled.
var errCancelled = errors.New("server: the client cancelled the call")

const sessionGone = "session not found: initialize a new one"

var (
	errSessionGone       = &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: sessionGone}
	errSessionsFull      = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "too many sessions with state"}
	errTwice             = &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: "field line sent more than once"}
	errNoSession         = &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: "Mcp-Session-Id is required"}
	errManyAnswers       = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "too many bytes of answers wait for their calls"}
	errManyStreams       = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "too many streams"}
	errOtherServer       = &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: "the session subscribes to resources of another server"}
	errManySubscriptions = &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "too many subscriptions"}
)

// refusalOf returns the error with which a client is refused for an error of the table of
// sessions; nil for nil.
func refusalOf(err error) *jsonrpc.Error {
	if e, ok := err.(excess); ok {
		return e.error()
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, session.ErrGone):
		return errSessionGone
	case errors.Is(err, session.ErrManyCalls):
		return errOverload
	case errors.Is(err, session.ErrManyStreams):
		return errManyStreams
	case errors.Is(err, session.ErrManyURIs):
		return errManySubscriptions
	case errors.Is(err, session.ErrOtherOwner):
		return errOtherServer
	case errors.Is(err, session.ErrManyAnswers):
		return errManyAnswers
	}
	return errSessionsFull
}

// refusalStatus returns the HTTP status for a refusal of a call or a stream.
func refusalStatus(e *jsonrpc.Error) int {
	switch e {
	case errSessionsFull, errOverload, errManyStreams:
		return 503
	case errSessionGone:
		return 404
	}
	if isQuotaError(e) {
		return 429
	}
	return 400
}

// place returns how the table of sessions names c.
func (c *conn) place() session.Place {
	return session.Place{Loop: uint32(c.loop.idx) + 1, Slot: c.slot, Gen: c.gen}
}

// loopOf returns the loop of the connection at p, which may be gone; nil if p names none. It may
// be called from any goroutine.
func (s *Server) loopOf(p session.Place) *loop {
	if p.IsZero() {
		return nil
	}
	return s.loops[p.Loop-1]
}

// postTo posts it to the connection at p. It reports false if p names none or its loop has ended.
// It may be called from any goroutine.
func (s *Server) postTo(p session.Place, it item) bool {
	l := s.loopOf(p)
	if l == nil {
		return false
	}
	it.h = handle{p.Slot, p.Gen}
	return l.postItem(it)
}

// sweepSessions sweeps a shard of the table for each tick that has passed, or as many as pass
// while the loops rest. The loops share the shards among them.
func (l *loop) sweepSessions() {
	s := l.srv
	n := min(max(1, l.now-l.sweptAt), sweepRest)
	l.sweptAt = l.now
	if !s.sessions.Held() {
		return
	}
	for range n {
		if l.swept += len(s.loops); l.swept >= session.Shards {
			l.swept = l.idx
		}
		if l.swept < session.Shards {
			s.sessions.Sweep(l.swept, l.now, uint32(s.clock().Unix()))
		}
	}
}
