// Package hop is the gateway's hop to an MCP server over HTTP: Streamable HTTP of all revisions,
// and HTTP+SSE of 2024-11-05.
//
// An [Upstream] is one configured URL. All its links share a pool of connections, a queue and a
// circuit breaker. A [Link] is one session there, or on 2026-07-28 one principal's requests.
//
// Some servers keep a thread and a socket for every client that hangs up on them. So an Upstream
// never hangs up first: it keeps connections alive and reads each response to its end, also that
// of a request that was cancelled or timed out. Such a request is abandoned: its link has
// forgotten it, but it occupies its connection for at most Options.AbandonTimeout. If there are
// more than Options.MaxAbandoned, no new requests are sent until some have ended. The exceptions
// are those that the protocol demands, and servers that never end a response. Stats.HungUp counts
// them:
//
//   - on 2026-07-28 a client cancels a request by closing its response;
//   - a stream of a session ends with the session;
//   - a response goes on for longer than AbandonTimeout after its request was given up, or for
//     longer than a few seconds after the message that answers it, or never stops to send bytes.
//
// A request waits in a queue of jobs, not in a goroutine. At most Options.Concurrency goroutines
// send requests and read responses. They end when the queue is empty. (A request of more than 32
// KiB has one more while it is written.) One more sends what no
// request may hold up: notifications, responses to the upstream's requests, and DELETE.
//
// A request is sent a second time only if nothing of it was written to the connection, if the
// server redirected it within its origin, or if a 401 led to a new access token.
package hop
