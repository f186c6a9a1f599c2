// Package session keeps what a server knows of sessions, which the MCP revisions before 2026-07-28
// have (2025-11-25, basic/transports, "Session Management").
//
// A session is its ID: [Tickets] seals a [Ticket] into it and opens it again. What a session has
// beyond its ID, and only while it has it, is an entry in a [Table]: an open stream, a log level,
// subscriptions, calls in flight, questions to its client, events to replay. A session without any
// of these has no entry, so an abandoned session costs nothing.
//
// The requests of a session arrive on any event loop, so here loops share memory. The table has
// [Shards] shards. A lock guards each shard with its entries. It is held for some map operations,
// and never while another is.
//
// The package knows no event loop. An entry names a connection by its [Place], and a call by a
// job, whose type is the host's and which the package only compares. Neither belongs to the
// table, so the host must expect that what a method returns is out of date by the time it uses
// it: a Place and a job have generations, which tell them from later ones. To end a stream or a
// call, the host posts to the loop that owns it, which it can only do after the method has
// returned and its lock is gone.
//
// Time is an argument, in the ticks of package wheel. The package reads no clock.
package session
