package server

import (
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"github.com/mooring-mcp/mooring/server/internal/session"
	"github.com/mooring-mcp/mooring/sse"
)

// escapeForEvent returns JSON text as it appears in the data of an event. An ID is a string or an
// integer, whose text has no line end except those that AppendData escapes.
func escapeForEvent(json string) string {
	const before, after = len("data: "), len("\n\n")
	data := sse.AppendData(nil, []byte(json))
	return string(data[before : len(data)-after])
}

var heartbeatBytes = []byte(endpoint.Heartbeat)

// heartbeatOf returns the comment that keeps c's stream alive.
func heartbeatOf(c *conn) []byte {
	if c.has(flagHTTP10) {
		return heartbeatBytes
	}
	return heartbeatChunkBytes
}

// writeStreamHead turns the exchange into an event stream, unless it already is one.
func (c *conn) writeStreamHead() {
	x := c.x
	if x.began {
		return
	}
	x.began = true
	if c.has(flagHTTP10) {
		c.flags |= flagClose // the stream ends with the connection
	}
	h := c.respHead(200)
	c.loop.out = endpoint.AppendStreamHead(c.loop.out, &h, !c.has(flagHTTP10))
}

// appendEvent appends msg to loop.out as an event of the stream.
func (c *conn) appendEvent(msg []byte) {
	l := c.loop
	if c.has(flagHTTP10) {
		l.out = sse.AppendData(l.out, msg)
		return
	}
	frame := sse.AppendData(l.event[:0], msg)
	l.out = endpoint.AppendChunk(l.out, frame)
	if cap(frame) > keepOut {
		frame = nil
	}
	l.event = frame
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

var heartbeatChunkBytes = []byte(endpoint.HeartbeatChunk)

// appendFrame appends one event. It has an id if stream is not 0, and a type if it is for the
// transport of 2024-11-05.
func appendFrame(dst []byte, stream, n uint64, typed bool, msg []byte) []byte {
	e := sse.Event{Data: msg}
	if typed {
		e.Type = "message"
	}
	if stream != 0 {
		var id [32]byte
		e.ID, e.HasID = string(session.AppendEventID(id[:0], stream, n)), true
	}
	return sse.AppendEvent(dst, &e)
}

// appendScratch puts encoded events, made in the loop's frame, on the stream in loop.out.
func (c *conn) appendScratch(frame []byte) {
	c.appendRaw(frame)
	if cap(frame) > keepOut {
		frame = nil
	}
	c.loop.event = frame[:0]
}

// appendRaw puts encoded events on the stream in loop.out. They stay the caller's.
func (c *conn) appendRaw(events []byte) {
	l := c.loop
	if c.has(flagHTTP10) {
		l.out = append(l.out, events...)
	} else {
		l.out = endpoint.AppendChunk(l.out, events)
	}
}
