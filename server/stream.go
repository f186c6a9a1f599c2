package server

import (
	"strconv"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"github.com/mooring-mcp/mooring/server/internal/wheel"
	"github.com/mooring-mcp/mooring/sse"
)

// listen makes the exchange a subscriptions/listen stream: it is registered and acknowledged in this turn, so that no notice can come before the acknowledgement.
// The job stays the caller's: a worker may still have its hands on it.
func (c *conn) listen(now tick, j *job) {
	l, x := c.loop, c.x
	s := l.srv
	switch {
	case !j.stream:
		l.count(j.call.Method(), outcomeRefused)
		c.respondError(406, j.call.ID(), &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: "a subscription needs a client that accepts text/event-stream"})
		c.finish(now)
		return
	case s.streams.Add(1) > int64(s.opts.MaxStreams):
		s.streams.Add(-1)
		l.count(j.call.Method(), outcomeOverload)
		c.respondError(503, j.call.ID(), &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "too many streams"})
		c.finish(now)
		return
	}
	sub := j.call.Listen()
	c.beginStream()
	l.event = s.mcp.AppendAcknowledged(l.event[:0], sub)
	c.appendEvent(l.event)

	c.id = l.intern(sub.ID)
	c.topics = sub.Topics &^ mcp.TopicResource
	c.flags |= flagStreaming
	l.m.streams.Add(1)
	l.streams.push(l, c)
	if len(sub.URIs) > 0 {
		l.streams.listenTo(l, c, sub.URIs)
	}
	l.count(j.call.Method(), outcomeOK)
	l.resetRequest(x)
	c.setState(now, connStateStream)
	if l.draining {
		c.endGracefully(now)
	}
}

// endStream takes c out of all lists of streams.
func (l *loop) endStream(c *conn) {
	l.streams.remove(l, c)
	if c.has(flagSession) {
		l.m.sessionStreams.Add(-1)
	}
	c.flags &^= flagStreaming | flagSession | flagTyped
	c.topics, c.dirty, c.id = 0, 0, ""
	l.m.streams.Add(-1)
	l.srv.streams.Add(-1)
}

// endGracefully ends a stream with the result of its request. For the client that is the end of the subscription, not a fault.
func (c *conn) endGracefully(now tick) {
	l := c.loop
	if l.carrying(c) {
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
	l.event = l.srv.mcp.AppendListenResult(l.event[:0], id)
	c.appendEvent(l.event)
	c.endEvents()
	c.flags |= flagClose
	c.reason = closeDrain
	c.setState(now, connStateLinger)
}

// intern returns the subscription id as it stands in events. Most ids are small integers, which cost nothing to hold.
func (l *loop) intern(id string) string {
	if n, err := strconv.Atoi(id); err == nil && n >= 0 && n < len(l.srv.smallIDs) && l.srv.smallIDs[n] == id {
		return l.srv.smallIDs[n]
	}
	return escapeForEvent(id)
}

// escapeForEvent returns JSON text as it stands in an event. An id is a string or an integer, whose text has no line end but those that an event escapes.
func escapeForEvent(json string) string {
	const before, after = len("data: "), len("\n\n")
	data := sse.AppendData(nil, []byte(json))
	return string(data[before : len(data)-after])
}

// expire serves c's deadline.
func (c *conn) expire(now tick) {
	if !c.has(flagStalled) || c.checkStall(now) {
		c.expireState(now)
	}
}

// expireState serves the deadline of c's state.
func (c *conn) expireState(now tick) {
	switch c.state {
	case connStateIdle:
		c.expireIdle(now)
	case connStateHead, connStateBody:
		c.timedOut(now)
	case connStateCall:
		c.expireCall(now)
	case connStateStream:
		c.expireStream(now)
	case connStateLinger:
		c.expireLinger(now)
	}
}

// expireIdle closes a connection whose client asks for nothing more, or goes on where it was told to wait.
func (c *conn) expireIdle(now tick) {
	switch left := c.sk.OutboundBuffered(); {
	case c.has(flagChoked) && left <= c.loop.srv.aheadLimit():
		c.flags &^= flagChoked
		c.setState(now, connStateIdle)
		c.resume(now)
	case c.has(flagChoked):
		c.arm(now + 1)
	case left > 0:
		c.arm(now + c.loop.srv.ticks.idle) // it is not idle: its last response is under way
	default:
		c.close(closeIdleTimeout)
	}
}

// timedOut answers a request that did not arrive in time.
func (c *conn) timedOut(now tick) {
	reason := "the head took too long"
	c.reason = closeHeadTimeout
	if c.state == connStateBody {
		c.reason, reason = closeBodyTimeout, "the content took too long"
	}
	c.flags |= flagClose | flagUnread
	h := c.respHead(408)
	c.loop.out = endpoint.AppendRefusal(c.loop.out, &h, reason)
	c.finish(now)
	c.flush()
}

// expireStream sends a heartbeat, or the notices that a slow stream still gets.
func (c *conn) expireStream(now tick) {
	l := c.loop
	switch {
	case l.draining && !c.resumed():
		c.endGracefully(now)
		c.flush()
	case c.sk.OutboundBuffered() > 0:
		if c.slow() {
			c.arm(now + l.retry)
		} else {
			c.arm(l.nextHeartbeat())
		}
	case c.slow():
		l.deliverDirty(c)
	default:
		c.arm(l.nextHeartbeat())
		c.write(heartbeatOf(c))
	}
}

var (
	heartbeatBytes      = []byte(endpoint.Heartbeat)
	heartbeatChunkBytes = []byte(endpoint.HeartbeatChunk)
)

// heartbeatOf returns the comment that keeps c's stream alive.
func heartbeatOf(c *conn) []byte {
	if c.has(flagHTTP10) {
		return heartbeatBytes
	}
	return heartbeatChunkBytes
}

// expireLinger ends a linger whose time is up, once all bytes are with the kernel.
func (c *conn) expireLinger(now tick) {
	switch {
	case c.sk.OutboundBuffered() > 0:
		c.arm(now + c.loop.retry)
	case !c.has(flagShut):
		c.wind()
	default:
		c.close(c.reason)
	}
}

// streamList holds the streams of a loop: all in one list, newest first, and by resource those that listen to one.
type streamList struct {
	head  uint32 // slot
	byURI map[string]*uriList
}

// noSlot ends a list.
const noSlot = ^uint32(0)

func (s *streamList) init() {
	s.head = noSlot
	s.byURI = make(map[string]*uriList)
}

// push adds c. It goes first: a walk under way, whose change it knows already, does not meet it.
func (s *streamList) push(l *loop, c *conn) {
	c.prev, c.next = noSlot, s.head
	if s.head != noSlot {
		l.slots[s.head].prev = c.slot
	}
	s.head = c.slot
}

func (s *streamList) remove(l *loop, c *conn) {
	l.fan.leave(c)
	if c.prev != noSlot {
		l.slots[c.prev].next = c.next
	} else {
		s.head = c.next
	}
	if c.next != noSlot {
		l.slots[c.next].prev = c.prev
	}
	u := c.uris
	if u == nil {
		return
	}
	for i := range u.refs {
		s.forget(l, &u.refs[i])
	}
	c.uris = nil
	if c.has(flagSession) {
		l.leaveSession(c, u)
	}
}

// uriList holds the streams of a loop that listen to one resource.
type uriList struct {
	uri     string
	members []uriMember
}

// uriMember is a stream in a uriList, and which of its resources that is.
type uriMember struct {
	slot, ref uint32
}

// uriSet is the resources of one stream, and of which session it is.
type uriSet struct {
	refs    []uriRef
	session sessionKey // of a stream of an earlier revision
	replay  uint64     // the call's stream that it resumes; 0: it is the session's own
}

type uriRef struct {
	list  *uriList
	pos   int  // in list.members
	dirty bool // updated, and the stream was too slow to be told
}

// listenTo registers c for uris, which are distinct.
func (s *streamList) listenTo(l *loop, c *conn, uris []string) {
	if c.uris == nil {
		c.uris = &uriSet{refs: make([]uriRef, 0, len(uris))}
	}
	for _, uri := range uris {
		list := s.byURI[uri]
		if list == nil {
			list = &uriList{uri: uri}
			s.byURI[uri] = list
		}
		c.uris.refs = append(c.uris.refs, uriRef{list: list, pos: len(list.members)})
		list.members = append(list.members, uriMember{c.slot, uint32(len(c.uris.refs) - 1)})
		l.srv.mcp.Subscribe(list.uri)
	}
}

// unlisten takes resource i away from c.
func (s *streamList) unlisten(l *loop, c *conn, i int) {
	refs := c.uris.refs
	s.forget(l, &refs[i])
	last := len(refs) - 1
	if i != last {
		refs[i] = refs[last]
		refs[i].list.members[refs[i].pos].ref = uint32(i)
	}
	c.uris.refs = refs[:last]
}

// forget takes one stream out of the list of one resource.
func (s *streamList) forget(l *loop, r *uriRef) {
	list, free := r.list, r.pos
	last := len(list.members) - 1
	if f := &l.fan; f.active && f.list == list && free < f.member {
		// A walk is under way: those that were told stay behind those that were not.
		f.member--
		list.move(l, f.member, free)
		free = f.member
	}
	list.move(l, last, free)
	list.members = list.members[:last]
	if last == 0 {
		delete(s.byURI, list.uri)
	}
	l.srv.mcp.Unsubscribe(list.uri)
}

// move moves a member to a place whose own has left.
func (list *uriList) move(l *loop, from, to int) {
	if from != to {
		m := list.members[from]
		list.members[to] = m
		l.slots[m.slot].uris.refs[m.ref].pos = to
	}
}

// slow reports whether c missed notices.
func (c *conn) slow() bool {
	if c.dirty != 0 {
		return true
	}
	return c.uris != nil && c.uris.missed()
}

func (u *uriSet) missed() bool {
	for i := range u.refs {
		if u.refs[i].dirty {
			return true
		}
	}
	return false
}
