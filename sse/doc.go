// Package sse writes and reads event streams (text/event-stream) as the WHATWG HTML
// standard defines them in sections 9.2.5 and 9.2.6
// (https://html.spec.whatwg.org/multipage/server-sent-events.html). It uses
// only the standard library.
//
// An event stream is a sequence of blocks of lines, each ended by an empty line. A
// line is a field (event, data, id, retry) or, if it begins with a colon, a
// comment. A block with data is dispatched as an event.
//
// Writers append to a slice. A server mostly needs [AppendData] for a message and
// [AppendComment] for a keep-alive; [AppendEvent] writes an event with an id, a type
// or a reconnection time. All known clients read their output alike: lines end in
// LF, no line lacks a colon, and the characters that some clients take for line
// ends, but not the standard (U+0085, U+2028, U+2029), are JSON escapes, because
// the data is JSON.
//
// A [Decoder] reads a stream. It takes pieces of any size and yields the same events
// wherever the stream was cut. The memory that one event may take is limited.
package sse
