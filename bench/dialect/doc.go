// Package dialect is the client side of MCP as bytes, for load generators: it asks a server which era it speaks, appends whole HTTP/1.1 requests to a slice, and reads what an answer says
// without building anything of it.
//
// It obeys MCP 2026-07-28 (transports/streamable-http, patterns/subscriptions) and, for the era before, the lifecycle and transports pages of 2025-11-25.
//
// An [Era] is a way in which a server is spoken to: [Modern], where each request says all about itself and a stream is the answer to subscriptions/listen; [Legacy], where initialize opens a session and a stream
// is the answer to GET; [Plain], where a GET of the URL is an event stream and nothing is known besides.
//
// [Ask] finds out and returns a [Target]. Its methods AppendX append the request X: head and content, with nothing left to add. They allocate nothing when dst has room. What one era lacks is told at
// each method; to call it nevertheless is a mistake of the program and panics.
//
// There is no request that unsubscribes: in both eras the client closes the connection of the stream.
package dialect
