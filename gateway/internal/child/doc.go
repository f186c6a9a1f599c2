// Package child runs MCP servers that speak stdio (specification, Transports, stdio) as supervised
// child processes, one for each link.
//
// A [Server] is one configured command. [Server.Open] returns a link at once; its child is started
// in the background, when its turn has come: one start at a time for each Server, and for all
// Servers together the limits of their [Nursery]. What is sent before the child runs waits.
//
// A child leads a process group of its own, so that the processes that a wrapper such as npx starts
// end with it. On Linux it is also killed when this process dies, and the orphans of its group come
// to this process, which is therefore made their subreaper (prctl(2), PR_SET_CHILD_SUBREAPER).
//
// A child that is closed is asked: its standard input ends, then its group gets SIGTERM, then
// SIGKILL. A child that ends unasked has crashed: its requests fail with [link.Lost], and the next
// start waits for a time that doubles with each crash. There is no crash after which a Server gives
// up for good.
//
// # Goroutines
//
// The supervisor ([child.run]) owns the process. Three more belong to the pipes: the reader of
// stdout, which calls Receive, the reader of stderr, and the writer of stdin. A fifth waits for the
// process to end, and one exists while there are failures to deliver. All have ended when
// [Server.Shutdown] returns nil.
package child
