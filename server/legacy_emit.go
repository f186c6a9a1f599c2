package server

import (
	"time"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/session"
	"github.com/mooring-mcp/mooring/sse"
)

// This file has the way of a message from a call of an earlier revision to its client: with an
// event id if the client can resume after it, and over the connection of the request, the
// connection that took the stream over, or none for the time being.

// emit sends a message of a call; final says that it is the last. A message that finds no
// connection waits in the replay, if the call has one.
func (l *loop) emit(j *job, status int, code jsonrpc.Code, msg []byte, final bool) {
	lc := &j.legacy
	if lc.link == linkSSE {
		l.emitSSE(j, status, code, msg, final)
		return
	}
	if lc.phase == phaseAnswered {
		return // without its handler
	}
	c := l.lookup(j.h)
	if c != nil && (c.x == nil || c.x.job != j) {
		c = nil
	}
	if final {
		if c != nil && code == 0 && len(j.opened) > 0 {
			c.x.session = append(c.x.session[:0], j.opened...)
		}
		counted := lc.phase == phaseTimedOut
		j.setPhase(phaseAnswered)
		l.unregister(j) // with its answer the call is no longer in flight: its id may come again
		if c != nil {
			c.x.job = nil
		}
		if !counted {
			l.count(j.call.Method(), outcomeOf(code))
		}
	}
	if !final {
		// Last: counted nowhere, it would let one more in than there is room for.
		defer j.queued.Add(-int64(len(msg) + frameRoom))
		if c != nil {
			c.makeResumable(j)
		}
	}
	var carrier session.Place
	var n uint64
	if lc.stream != 0 {
		n, carrier = l.remember(j, msg, final)
	}
	switch {
	case c != nil && (carrier.IsZero() || carrier == c.place()):
		l.serving = c
		c.emit(j, status, msg, n, final)
	case !carrier.IsZero() && l.srv.loopOf(carrier).flooded():
		// The stream ends, and its client reconnects for what is kept.
		l.leaveReplay(j, carrier)
		l.srv.postTo(carrier, item{kind: itemEndStream})
		if c != nil && final {
			l.serving = c
			c.handOver(l.now)
		}
	case !carrier.IsZero():
		buf := takeBuffer(len(msg) + frameRoom)
		if len(msg) > 0 {
			buf.B = appendFrame(buf.B[:0], lc.stream, n, false, msg)
		}
		if !l.srv.postTo(carrier, item{kind: itemEvents, buf: buf, end: final}) {
			release(buf)
		}
		if c != nil && final { // its stream has moved, and the order to let go of it is on its way
			l.serving = c
			c.handOver(l.now)
		}
	case lc.stream == 0 && lc.link == linkDetached:
		j.setLink(linkLost)
	}
}

// remember stores msg for a client that reconnects, and returns its number and the connection that
// has the stream now.
func (l *loop) remember(j *job, msg []byte, final bool) (n uint64, carrier session.Place) {
	lc := &j.legacy
	n, carrier, kept := l.srv.sessions.Remember(lc.ticket.Key, lc.stream, msg, final, l.now)
	if !kept {
		lc.stream = 0 // what follows cannot be resumed
	}
	return n, carrier
}

// noReplay is the value of ReplayBytes that keeps nothing: zero means the default.
const noReplay = 1

// makeResumable gives the stream of a call a replay, from which the client can resume it.
func (c *conn) makeResumable(j *job) {
	l := c.loop
	lc := &j.legacy
	if !lc.inSession() || lc.stream != 0 || l.srv.opts.ReplayBytes <= noReplay {
		return
	}
	lc.stream = l.srv.sessions.OpenReplay(lc.ticket.Key, c.place(), l.now)
}

// emit writes a message of j on its own connection.
func (c *conn) emit(j *job, status int, msg []byte, n uint64, final bool) {
	l := c.loop
	if final && len(msg) == 0 {
		c.respondAccepted() // a batch without requests
	} else if final && !c.x.began {
		c.respond(status, msg)
	} else {
		c.writeCallHead(j)
		c.appendScratch(appendFrame(l.event[:0], j.legacy.stream, n, false, msg))
		if final {
			c.endEvents()
		}
	}
	if final {
		c.finish(l.now)
		c.resume(l.now)
		return
	}
	c.flushNotice()
	if c.state == connStateCall {
		j.unsent.Store(int64(c.sk.OutboundBuffered()))
		c.arm(c.nextCallDue())
	}
}

// writeCallHead makes the response to a call an event stream. If the revision allows a stream to
// end before its response, the first event gives the client a position to resume from
// (SEP-1699). Clients of earlier ones do not expect an event without a message.
func (c *conn) writeCallHead(j *job) {
	if c.x.began {
		return
	}
	c.writeStreamHead()
	if j.legacy.stream != 0 && mcp.ResumableFromStart(j.legacy.ticket.Info.Revision) {
		c.appendScratch(appendFrame(c.loop.event[:0], j.legacy.stream, 0, false, nil))
	}
}

// serveEvents writes events of a call on the connection that took its stream over, or on the
// stream of its session.
func (l *loop) serveEvents(it *item) {
	c := l.lookup(it.h)
	if c == nil || c.state != connStateStream {
		return
	}
	l.serving = c
	if it.arg == sseOpened {
		c.topics = c.offered()
	}
	if len(it.buf.B) > 0 { // an empty chunk would be the end
		c.appendRaw(it.buf.B)
	}
	switch {
	case it.end:
		c.endSessionStream(l.now)
		c.flush()
		return
	case c.has(flagTyped):
		c.flushSSE()
	default:
		c.flushNotice()
	}
	// a drain has set when the stream ends
	if c.state == connStateStream && !c.has(flagStalled) && !l.draining {
		c.arm(l.nextHeartbeat())
	}
}

// CloseStream implements mcp.StreamCloser: it ends the connection of the call before the response,
// which the client fetches after retry (SEP-1699). It runs on the worker.
func (j *job) CloseStream(retry time.Duration) bool {
	lc := &j.legacy
	if !lc.inSession() || !j.stream || lc.to != nil || !mcp.ResumableFromStart(lc.ticket.Info.Revision) {
		return false
	}
	return j.loop.postItem(item{kind: itemCloseStream, job: j, gen: j.gen, arg: uint64(retry)})
}

// serveCloseStream ends the response of a call that continues.
func (l *loop) serveCloseStream(it *item) {
	j := it.job
	c := l.lookup(j.h)
	if j.gen != it.gen {
		return
	}
	if c == nil || c.x == nil || c.x.job != j {
		l.closeResumed(j, it.arg)
		return
	}
	l.serving = c
	c.makeResumable(j)
	if j.legacy.stream == 0 {
		return // no room to keep the answer in: the stream stays open
	}
	c.writeCallHead(j)
	if it.arg > 0 {
		c.appendScratch(sse.AppendRetry(l.event[:0], time.Duration(it.arg)))
	}
	c.endEvents()
	due := c.x.due
	c.x.job = nil
	l.leaveReplay(j, c.place())
	l.keepDetached(j, due)
	c.finish(l.now)
	c.resume(l.now)
}
