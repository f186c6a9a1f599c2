// Package mcptest tests the features of an [mcp.Server] without sockets, in microseconds.
//
// [Call], [GetPrompt] and [ReadResource] send one request to a server, through everything that a
// request passes on its way to a handler and back: schemas, defaults, middleware, and the questions
// that a handler asks. [Request] makes the request that the handler of a tool gets, for a test of
// the handler alone.
//
// Who asks is a [Client]. The default one speaks the newest revision, declares no capabilities and
// is anonymous.
package mcptest
