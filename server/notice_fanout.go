package server

import (
	"strconv"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"github.com/mooring-mcp/mooring/sse"
)

// fanout is the walk over a berth's streams that notifies them of changes: one change at a time,
// and a slice of streams in each turn. What changes meanwhile is reported by the next walk, so that
// notices do not queue.
type fanout struct {
	todo   changes
	change mcp.Change
	notice notice
	frames frames
}

// allTopics are the topics whose changes are reported in a walk over all streams.
var allTopics = [...]mcp.Topic{mcp.TopicTools, mcp.TopicPrompts, mcp.TopicResources}

// addNews adds what the inbox has given to what the streams of b have to be told.
func (b *berth) addNews() {
	f := &b.fan
	f.todo.merge(&b.news)
	for uri := range b.news.uris {
		if b.streams.byURI[uri] == nil {
			// Otherwise start could not tell which walk is the last one, whose notice says that
			// everything has been reported.
			delete(f.todo.uris, uri)
		}
	}
	b.news = changes{}
	b.loop.fans.push(b)
}

// beginWalk starts the walk for one of the pending changes. It reports whether there was one.
func (b *berth) beginWalk() bool {
	f := &b.fan
	for _, t := range allTopics {
		if f.todo.topics&t != 0 {
			f.todo.topics &^= t
			b.streams.walkAll()
			b.startWalk(mcp.Change{Topic: t})
			return true
		}
	}
	for uri := range f.todo.uris {
		delete(f.todo.uris, uri)
		if b.streams.walkListeners(uri) {
			b.startWalk(mcp.Change{Topic: mcp.TopicResource, URI: uri})
			return true
		}
	}
	f.todo.uris = nil
	b.told = max(b.told, f.todo.seq)
	return false
}

func (b *berth) startWalk(ch mcp.Change) {
	f := &b.fan
	f.change = ch
	f.notice = b.noticeOf(ch)
	f.frames.reset(&f.notice)
	if f.todo.topics == 0 && len(f.todo.uris) == 0 {
		b.told = f.todo.seq // a stream that gets this notice has been notified of everything
		f.notice.seq = b.told
	}
}

// passCost is how many streams can be passed over for the cost of notifying one.
const passCost = 16

// serveFanout notifies a slice of streams, of one berth after another. A berth that has used up the
// slice goes behind the others, so that a service with few streams does not wait for one with
// many.
func (l *loop) serveFanout() {
	for n := sliceLimit * passCost; l.fans.first != nil; n -= passCost {
		b := l.fans.first
		left, done := b.walk(n)
		if l.fans.pop(); !done {
			l.fans.push(b)
			l.continueLater()
			return
		}
		n = left
	}
}

// walk notifies streams of b for the cost of n, and returns how much of n is left. done says that
// all have been notified of everything.
func (b *berth) walk(n int) (left int, done bool) {
	l, f := b.loop, &b.fan
	for n > 0 {
		if !b.streams.walk.active && !b.beginWalk() {
			return n, true
		}
		slot, ref, ok := b.streams.at()
		if !ok {
			continue
		}
		c := l.slots[slot]
		b.streams.pass(&c.streamNode)
		switch {
		case f.change.Topic == mcp.TopicResource:
			b.tellResource(c, ref)
			n -= passCost
		case c.topics&f.change.Topic != 0:
			b.tellList(c)
			n -= passCost
		default:
			n--
		}
	}
	return n, false
}

func (b *berth) tellList(c *conn) {
	l := b.loop
	l.serving = c
	if c.sk.OutboundBuffered() > 0 {
		c.dirty |= b.fan.change.Topic
		c.arm(l.now + l.retry)
		return
	}
	if c.has(flagSession) && c.slow() {
		// The event ID of this notice would say that the client knows of changes that it has yet to
		// be notified of.
		c.dirty |= b.fan.change.Topic
		return
	}
	c.dirty &^= b.fan.change.Topic
	if b.fan.notice.tells(c) {
		c.write(b.fan.frames.bytesFor(c))
	}
}

func (b *berth) tellResource(c *conn, ref uint32) {
	l := b.loop
	l.serving = c
	r := &c.uris.refs[ref]
	if c.sk.OutboundBuffered() > 0 {
		r.dirty = true
		c.arm(l.now + l.retry)
		return
	}
	if c.has(flagSession) && c.slow() {
		r.dirty = true
		return
	}
	r.dirty = false
	if b.fan.notice.tells(c) {
		c.write(b.fan.frames.bytesFor(c))
	}
}

// deliverDirty notifies a stream that has caught up of what it missed, as long as it keeps up.
func (l *loop) deliverDirty(c *conn) {
	b := c.berth
	tell := func(ch mcp.Change) bool {
		n := b.noticeOf(ch)
		if !c.slow() && !b.streams.walk.active {
			n.seq = b.told
		}
		if !n.tells(c) {
			return true
		}
		var f frames
		f.reset(&n)
		c.write(f.bytesFor(c))
		return c.state == connStateStream && c.sk.OutboundBuffered() == 0
	}
	for _, t := range allTopics {
		if c.dirty&t != 0 {
			c.dirty &^= t
			if !tell(mcp.Change{Topic: t}) {
				break
			}
		}
	}
	if c.state == connStateStream && c.uris != nil && c.sk.OutboundBuffered() == 0 {
		for i := range c.uris.refs {
			r := &c.uris.refs[i]
			if r.dirty {
				r.dirty = false
				if !tell(mcp.Change{Topic: mcp.TopicResource, URI: r.list.uri}) {
					break
				}
			}
		}
	}
	switch {
	case c.state != connStateStream:
	case c.slow():
		c.arm(l.now + l.retry)
	default:
		c.arm(l.nextHeartbeat())
	}
}

// notice is an encoded notification, as it appears in events. The subscription ID goes between its
// two parts.
type notice struct {
	prefix, suffix []byte
	message        []byte // the notification for streams of sessions; empty if they get none

	// seq is the number of a change if a stream that gets this notice has then been notified of
	// all changes up to it. Otherwise it is 0.
	seq uint64
}

// tells reports whether c gets the notice. Sessions are not notified of features that the server no
// longer declares.
func (n *notice) tells(c *conn) bool { return !c.has(flagSession) || len(n.message) > 0 }

func (b *berth) noticeOf(ch mcp.Change) notice {
	prefix, suffix := b.svc.mcp.ChangeMessage(ch)
	n := notice{
		prefix: []byte(escapeForEvent(string(prefix))),
		suffix: []byte(escapeForEvent(string(suffix))),
	}
	if b.loop.m.sessionStreams.Load() > 0 {
		n.message = b.svc.mcp.SessionChangeMessage(ch)
	}
	return n
}

// frames encodes one notice for many streams, with the same result as sse.AppendData. It keeps the
// encoded frame, and overwrites only the subscription ID as long as the length of the ID stays the
// same.
type frames struct {
	n      *notice
	buf    []byte // "LEN CRLF data: prefix id suffix LF LF CRLF"
	at     int    // the offset of the ID in buf
	idLen  int
	bare   bool // the frame is not a chunk
	filled bool

	session []byte // the frame for streams of sessions; nil until one is needed
}

func (f *frames) reset(n *notice) {
	f.n, f.filled, f.session = n, false, nil
}

// sessionFrame returns the bytes for c, a stream of a session. All such streams share one frame,
// except those of HTTP+SSE and HTTP/1.0.
func (f *frames) sessionFrame(c *conn) []byte {
	if c.has(flagTyped | flagHTTP10) {
		return f.encodeSession(nil, c)
	}
	if f.session == nil {
		f.session = f.encodeSession(f.session, c)
	}
	return f.session
}

func (f *frames) encodeSession(dst []byte, c *conn) []byte {
	e := sse.Event{Data: f.n.message}
	if c.has(flagTyped) {
		e.Type = "message"
	} else if f.n.seq != 0 {
		var id [32]byte
		e.ID, e.HasID = string(appendNoticeID(id[:0], f.n.seq)), true
	}
	event := sse.AppendEvent(nil, &e)
	if c.has(flagHTTP10) {
		return append(dst, event...)
	}
	return endpoint.AppendChunk(dst, event)
}

// bytesFor returns the bytes for c. They are valid until the next call.
func (f *frames) bytesFor(c *conn) []byte {
	if c.has(flagSession) {
		return f.sessionFrame(c)
	}
	bare := c.has(flagHTTP10)
	if f.filled && f.idLen == len(c.id) && f.bare == bare {
		copy(f.buf[f.at:], c.id)
		return f.buf
	}
	f.filled, f.idLen, f.bare = true, len(c.id), bare
	b := f.buf[:0]
	const field, end = "data: ", "\n\n"
	if !bare {
		n := len(field) + len(f.n.prefix) + len(c.id) + len(f.n.suffix) + len(end)
		b = strconv.AppendUint(b, uint64(n), 16)
		b = append(b, "\r\n"...)
	}
	b = append(append(b, field...), f.n.prefix...)
	f.at = len(b)
	b = append(append(append(b, c.id...), f.n.suffix...), end...)
	if !bare {
		b = append(b, "\r\n"...)
	}
	f.buf = b
	return b
}
