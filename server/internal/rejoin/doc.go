// Package rejoin gives connections back to the http.Server that they were taken from, and makes
// that http.Server wait for those that are still away when it shuts down.
//
// net/http lets a handler take a connection (http.Hijacker), and then forgets it: there is no way
// back, and Shutdown does not wait. A [Server] adds both by what any program may do with an
// http.Server: it has it serve one more listener, whose Accept returns the connections that come
// back.
//
// # Vocabulary
//
// A connection leaves the http.Server when it is taken, and is away until it returns or is closed.
// It is busy until the response that it left with is complete, and idle then.
//
// The stand-in is a connection without a peer. As long as a connection is busy, the http.Server
// serves the stand-in, a request of which never ends: so Shutdown waits, until its context ends, as
// it waits for a handler; Close ends it; and httptest.Server.Close waits too. Hooks of the
// http.Server (ConnState, ConnContext) see it as one more connection of their own kind, a [Conn].
//
// # Ownership
//
// Methods of Server may be called from any goroutine, even an event loop, except Leave and Close,
// which may wait for the http.Server. A Conn belongs to the http.Server, or to whoever takes it
// from there.
package rejoin
