// Package server serves MCP over Streamable HTTP on event loops, on listeners of its own or as a
// handler of net/http.
//
// A whole server is an mcp.Server with some features and a call of [ListenAndServe]:
//
//	package main
//
//	import (
//		"log"
//
//		"github.com/mooring-mcp/mooring/mcp"
//		"github.com/mooring-mcp/mooring/server"
//	)
//
//	type AddIn struct {
//		A int `json:"a"`
//		B int `json:"b"`
//	}
//
//	type AddOut struct {
//		Sum int `json:"sum"`
//	}
//
//	func add(_ *mcp.CallToolRequest, in AddIn) (AddOut, error) { return AddOut{in.A + in.B}, nil }
//
//	func main() {
//		s := mcp.NewServer(&mcp.Implementation{Name: "sums", Version: "v1.0.0"}, nil)
//		mcp.AddInlineTool(s, &mcp.Tool{Name: "add", Description: "Sum of two integers."}, add)
//		log.Fatal(server.ListenAndServe("127.0.0.1:8080", s))
//	}
//
// Clients connect to http://127.0.0.1:8080/mcp. The server also answers GET /healthz and /readyz on
// the same address.
//
// # Running a server
//
// [New] makes a [Server] from an mcp.Server and [Options]. Every limit and every timeout is a
// field of Options with a default; [Options.Validate] reports values that cannot work.
// [Server.Listen] and [Server.ListenAll] open TCP addresses and unix sockets, [Server.Serve]
// accepts from a listener until the server is shut down, and [Server.ListenAndServe] does both.
//
// [Server.Shutdown] drains the server: it stops accepting, lets calls finish, ends streams with
// their results and returns when nothing is left. Serve then returns [ErrServerClosed]. If
// something could not be ended, the error is a [LeftError].
//
// [Server.Stats] returns the counters as a [Stats], and [Server.Ready] reports whether the server
// takes new work. Package server/admin serves both to operators, on an address of its own.
//
// # With net/http
//
// [NewStreamableHTTPHandler] returns a handler for a mux of net/http, with the names and options of
// the official Go SDK. It serves all revisions, behind any middleware. A stream that stays open, or
// a call that takes long, leaves net/http where its connection allows that: an event loop serves
// it, and no goroutine waits. [NewSSEHandler] serves the HTTP+SSE transport of 2024-11-05.
//
// The other way round, [Options].Other is a handler of net/http for all paths that the server does
// not serve itself.
//
// [Server.Handle] adds endpoints with other mcp.Servers. What handlers know of a request is in
// mcp.RequestExtra: on net/http everything, and on the server's own listeners what
// Options.HandlerHeaders names and Options.Context adds.
//
// # Connections and calls
//
// A Server holds very many connections. An idle one, or an idle subscriptions/listen stream, costs
// a small struct, a slot in a table and a deadline, but no goroutine. Options.Loops event loops,
// on the [Engine] of Options.Engine, serve them all.
//
// Handlers of inline tools run on an event loop and must not block: see mcp.AddInlineTool. Every
// other handler runs on a goroutine of its own, at most Options.MaxCalls at a time.
//
// The server frees all that belongs to a client as soon as the client disconnects. A response that
// an event loop makes is written before the loop reads further, and so before it sees a disconnect.
// If a handler still runs then, the revision decides. On 2026-07-28 a disconnect cancels the call:
// the handler's context ends, and its result is dropped. On earlier revisions the call continues,
// and the client may reconnect for the result.
package server
