// Package upstream is an MCP client for the gateway: it speaks to one upstream server for all
// clients of the gateway, and never blocks.
//
// A [Server] is one configured upstream. It finds out which era the upstream speaks, keeps its
// [Catalogue] current, and carries calls. Everything that travels is JSON text that is passed on
// as it came, except for what belongs to a hop: ids, progress tokens and reserved members of
// _meta.
//
// # Vocabulary
//
// A front is a client of the gateway. Modern is revision 2026-07-28, in which each request says
// what its client can do; legacy are the four before, which have sessions. A session is what the
// upstream takes for one client: a [link.Link] and what was negotiated over it. Fronts share a
// session if they have the same key (see [Share]). The home session is the one that the catalogue
// comes from. A question is a request of the upstream: for a form, a sampling or the roots.
//
// # Goroutines
//
// A Server has no goroutine of its own, and a waiting call has none either. Its state is guarded
// by one lock, under which nothing blocks: methods of a Link do not. Callbacks run without the
// lock, on the goroutine that caused them: one of the link's, a timer's, or the caller's.
package upstream
