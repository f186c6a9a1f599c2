// Package server serves MCP over Streamable HTTP on event loops.
//
// A [Server] holds very many connections: an idle one, or an idle subscriptions/listen stream, is a small struct, a slot and a deadline, and no goroutine. The peer's FIN
// frees all that belonged to it in the same turn of its loop; the descriptor
// may take some turns more when thousands go at once.
//
// # Vocabulary
//
// A loop serves its connections one event after another, in turns. A conn is a connection. An exchange is one request and its response. A job is one MCP message from its
// content to its response; a worker is the goroutine that runs a job whose handler may wait. A stream is a response of type text/event-stream that stays open: that of
// subscriptions/listen. A notice tells streams that something changed. A tick is the unit of deadlines.
//
// # Ownership
//
// Every method of loop, conn, exchange and the lists of streams runs on its loop: no method needs a lock. What may be called from elsewhere begins with post and stands in
// inbox.go, or is a method of job that implements mcp.Sink. Workers name a connection by handle, never by pointer.
//
// # Ends
//
// A FIN is final: an answer that was made on the loop has been written before it is seen; the context of a worker's call ends (on revision 2026-07-28 a disconnect is the
// cancellation), and its answer goes nowhere.
package server
