package server

import (
	"strconv"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

// listen turns the exchange into a subscriptions/listen stream. The stream is registered and
// acknowledged in the same turn, so that no notice can precede the acknowledgement. The caller
// keeps the job, because a worker may still be using it.
func (c *conn) listen(now tick, j *job) {
	l, x := c.loop, c.x
	s := l.srv
	switch {
	case !j.stream:
		l.count(j.call.Method(), outcomeRefused)
		c.respondError(406, j.call.ID(), &jsonrpc.Error{
			Code:    jsonrpc.CodeInvalidRequest,
			Message: "a subscription needs a client that accepts text/event-stream",
		})
		c.finish(now)
		return
	case s.streams.Add(1) > int64(s.opts.MaxStreams):
		s.streams.Add(-1)
		l.count(j.call.Method(), outcomeOverload)
		c.respondError(503, j.call.ID(), &jsonrpc.Error{
			Code:    jsonrpc.CodeInternalError,
			Message: "too many streams",
		})
		c.finish(now)
		return
	}
	if e := c.takeStream(j.account); e.exceeds() {
		s.streams.Add(-1)
		l.count(j.call.Method(), outcomeOverload)
		x.retry = e.retry
		c.respondError(429, j.call.ID(), e.error())
		c.finish(now)
		return
	}
	sub := j.call.Listen()
	c.writeStreamHead()
	l.msg = c.svc.mcp.AppendAcknowledged(l.msg[:0], sub)
	c.appendEvent(l.msg)

	c.id = l.intern(sub.ID)
	c.topics = sub.Topics &^ mcp.TopicResource
	c.flags |= flagStreaming
	c.joinBerth(j.who)
	if len(sub.URIs) > 0 {
		c.streams.listen(c.slot, sub.URIs)
	}
	l.count(j.call.Method(), outcomeOK)
	l.resetRequest(x)
	c.setState(now, connStateStream)
	if c.leaves() {
		c.endGracefully(now)
	} else if c.orphaned() {
		c.arm(now + 1)
	}
}

// joinBerth adds c, whose stream begins, to the streams of its berth. The stream is who's.
func (c *conn) joinBerth(who *identity) {
	if c.svc.guest {
		c.svc.watch()
	}
	c.loop.m.streams.Add(1)
	c.streams.push(c.slot)
	c.bind(who)
}

// endStream removes c from all lists of streams. The caller unmoors c.
func (l *loop) endStream(c *conn) {
	u := c.streams.remove(c.slot)
	l.holders.remove(c.slot)
	c.leaveStreamPlace()
	if c.has(flagSession) {
		if u != nil {
			l.leaveSession(c, u)
		}
		l.m.sessionStreams.Add(-1)
	}
	c.flags &^= flagStreaming | flagSession | flagTyped
	c.topics, c.dirty, c.id = 0, 0, ""
	l.m.streams.Add(-1)
	l.srv.streams.Add(-1)
}

// endGracefully ends a stream with the result of its request. To the client, this is a regular end
// of the subscription, not a failure.
func (c *conn) endGracefully(now tick) {
	l := c.loop
	if l.sseBusy(c) {
		c.arm(now + wheel.Ticks(retryTime)) // its calls finish first
		return
	}
	if c.has(flagSession) {
		c.endSessionStream(now)
		c.reason = closeDrain
		return
	}
	id := c.id
	l.endStream(c)
	l.msg = c.svc.mcp.AppendListenResult(l.msg[:0], id)
	c.unmoor()
	c.appendEvent(l.msg)
	c.endEvents()
	c.flags |= flagClose
	c.reason = closeDrain
	c.setState(now, connStateLinger)
}

// intern returns the subscription ID as it appears in events. Most IDs are small integers, whose
// strings are shared and cost nothing to hold.
func (l *loop) intern(id string) string {
	if n, err := strconv.Atoi(id); err == nil && n >= 0 && n < len(l.srv.smallIDs) && l.srv.smallIDs[n] == id {
		return l.srv.smallIDs[n]
	}
	return escapeForEvent(id)
}

// slow reports whether c has missed notices.
func (c *conn) slow() bool {
	if c.dirty != 0 {
		return true
	}
	return c.uris != nil && c.uris.missed()
}
