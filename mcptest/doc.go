// Package mcptest tests the features of an [mcp.Server] without sockets, in microseconds.
//
// [Call], [GetPrompt] and [ReadResource] send one request to a server, through everything that a
// request passes on its way to a handler and back: schemas, defaults, middleware, and the questions
// that a handler asks:
//
//	func TestAdd(t *testing.T) {
//		_, out, err := mcptest.Call[AddOut](t.Context(), newServer(), "add", AddIn{A: 1, B: 2})
//		if err != nil || out.Sum != 3 {
//			t.Errorf("got %+v, %v; want 3", out, err)
//		}
//	}
//
// [Request] makes the request that the handler of a tool gets, for a test of the handler alone.
// [RoundTripper] and [HandlerTransport] give a server, or a whole mux, to an http.Client: for tests
// of sessions and streams, of middleware, and with clients of other libraries.
//
// Each request comes from a [Client]. The default one speaks the newest revision, declares no
// capabilities and is anonymous.
package mcptest
