// Package dialect is the client side of MCP as bytes, for load generators: it finds out which era a
// server speaks, appends whole HTTP/1.1 requests to a slice, and reads answers without building
// objects from them.
//
// It implements MCP 2026-07-28 (transports/streamable-http, patterns/subscriptions) and, for the
// earlier era, the lifecycle and transports pages of 2025-11-25.
//
// An [Era] is a way to talk to a server: [Modern], in which each request is self-contained and the
// answer to subscriptions/listen is a stream; [Legacy], in which initialize opens a session and the
// answer to a GET is a stream; and [Plain], in which a GET of the URL returns an event stream and
// nothing else is known.
//
// [Ask] finds out the era and returns a [Target]. Its methods AppendX append the request X, both
// head and content; nothing needs to be added. They do not allocate if dst has room. Each method
// says which era lacks it; calling it nevertheless is a programming error and panics.
//
// There is no request to unsubscribe: in both eras the client closes the connection of the stream.
package dialect
