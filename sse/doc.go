// Package sse writes and reads event streams (text/event-stream) as the WHATWG HTML
// standard defines them in sections 9.2.5 and 9.2.6
// (https://html.spec.whatwg.org/multipage/server-sent-events.html). It needs the
// standard library only.
//
// An event stream is a sequence of blocks of lines, each ended by an empty line. A
// line is a field (event, data, id, retry) or, if it begins with a colon, a
// comment. A block with data is dispatched as an event.
//
// Writing is by appending to a slice: [AppendData] for a message and
// [AppendComment] for a keep-alive are the two that a server needs all the time,
// [AppendEvent] writes an event with an id, a type or a reconnection time. What
// they write is read alike by every client known: lines end in LF, no line is
// without a colon, and the characters that some clients take for line ends though
// the standard does not (U+0085, U+2028, U+2029) stand as JSON escapes, for the
// data is JSON.
//
// Reading is by a [Decoder], which is fed pieces of any size and yields the same
// events wherever the stream was cut. What one event may hold in memory is bounded.
package sse
