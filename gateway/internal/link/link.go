// Package link says how the gateway talks to an upstream server, whatever carries the messages: a
// child's pipes, Streamable HTTP, or HTTP+SSE.
package link

import (
	"strconv"
	"time"
)

// A Link carries the messages of one session with an upstream: on stdio it is one child, on HTTP
// one session ID. Its methods may be called from any goroutine, do not block, and return without
// having called the Receiver.
type Link interface {
	// Send sends a message as soon as it can. If it is a request, the Receiver gets either its
	// response or one Failed, and nothing for it after Cancel. The link may keep m and what it points
	// to until then, or, for other messages, until they are written; the caller must not change it.
	Send(m *Message)
	// Cancel gives up the request with the id. Where the revision says that a request is cancelled by
	// a message, the caller sends it itself, before. The link still reads the response to its end,
	// unless the revision cancels by closing it, as 2026-07-28 does over HTTP. Cancel does not wait
	// for a call of the Receiver that has begun.
	Cancel(id int64)
	// Negotiated sets the revision that HTTP requests name from now on.
	Negotiated(version string)
	// Close ends the session: it is deleted, or the child is asked to leave. Requests in flight get
	// Failed with Closed. The Receiver gets no Lost.
	Close()
}

// A Kind is the kind of a JSON-RPC message.
type Kind uint8

const (
	Request Kind = iota
	Notification
	Response // to a request of the upstream
)

// A Message is one message for an upstream.
type Message struct {
	Kind   Kind
	ID     int64  // of a Request: the id in Body, which is never 0 and used once in a link's life
	Method string // of a Request or Notification
	Body   []byte // the JSON text, without a line end in it

	// Name is the tool, prompt or URI that Mcp-Name repeats, and Fields are more header fields, for
	// revisions that have them. Stdio ignores both.
	Name   string
	Fields []Field

	// Endless is true for a request whose response is a stream that stays open: it needs no place in
	// the pool, and no timeout applies to it.
	Endless bool
	// Deadline is when the request fails with Timeout if it has no response. The zero time means
	// never. The link still reads the response to its end.
	Deadline time.Time
}

// A Field is a header field.
type Field struct{ Name, Value string }

// A Receiver gets what an upstream sends. The methods are called from the link's goroutines, for
// messages of one stream one at a time and in order. They must not block, because an upstream that
// is not read may stop. They may call the Link.
type Receiver interface {
	// Receive gets one message. On is the ID of the request on whose stream it came, or 0 if the
	// stream belongs to the session. On stdio, where there is one stream, it is the request of a
	// response, and 0 for other messages. Msg is one JSON object, as the upstream sent it, and must
	// not be used after Receive has returned. It may turn out to be malformed: if it is a response,
	// the request on which it came gets nothing else.
	Receive(on int64, msg []byte)
	// Failed says that the request will get no response.
	Failed(id int64, err *Error)
	// Lost says that the session is over without Close, for example because the child has ended.
	// All requests in flight have Failed before. The link is not to be used again.
	Lost(err *Error)
}

// A Reason says why a request has failed, or a session is over.
type Reason uint8

const (
	Lost      Reason = iota // the connection or the child ended
	Closed                  // Link.Close was called
	Timeout                 // Message.Deadline is over
	Busy                    // the queue is full, or waiting in it took too long
	Down                    // the upstream is known to be down: backoff, or a breaker is open
	TooLong                 // a message is longer than the limit
	Malformed               // what came is not MCP
	Status                  // HTTP answered with a status, and with no JSON-RPC response
	Expired                 // HTTP does not know the session: 404, or a 400 that says so
)

var reasons = [...]string{
	"connection lost", "closed", "timeout", "busy", "down", "message too long", "malformed", "status",
	"session expired",
}

// String returns the reason in words.
func (r Reason) String() string {
	if int(r) < len(reasons) {
		return reasons[r]
	}
	return "reason " + strconv.Itoa(int(r))
}

// An Error is why a request has failed, or a session is over. Text from the upstream is only in
// Detail.
type Error struct {
	Reason Reason
	// Unsent is true if the upstream cannot have begun with the request, so that it may be sent again.
	Unsent bool
	// Status is the HTTP status, if one came.
	Status int
	// RetryAfter is when another try makes sense, if that is known.
	RetryAfter time.Duration
	// Detail is at most 4 KiB of what the upstream said: content of a response, or the end of a
	// child's stderr. It is for the operator, not for clients.
	Detail string
	Err    error // the cause, if there is one
}

func (e *Error) Error() string {
	s := "upstream: " + e.Reason.String()
	if e.Status != 0 {
		s += " " + strconv.Itoa(e.Status)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// A Streamer is a Link that can hold a stream for what belongs to no request, as Streamable HTTP
// before 2026-07-28 can.
type Streamer interface {
	// Stream opens the stream, and opens it again whenever it breaks off, until Close or Lost. It
	// does nothing the second time. Changed is called from the stream's goroutine. It must not block.
	Stream(changed func(StreamState))
}

// A StreamState is what has become of the stream of a session.
type StreamState uint8

const (
	StreamOpen    StreamState = iota // open; messages may have been missed before
	StreamResumed                    // open; the server was asked for what was missed
	StreamDown                       // broken off, or not to be had now; it will be tried again
	StreamRefused                    // the server has no such stream; it will not be tried again
)
