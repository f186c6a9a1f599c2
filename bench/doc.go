// Package bench measures MCP servers from outside, given their URL: what an idle stream costs, how fast a client that has gone is forgotten, how long a change takes to reach everybody, what one
// reader that stalls does to the others, what a call costs. It works against any server over HTTP, at 2026-07-28 and at earlier revisions.
//
// A scenario measures one thing; Scenarios lists them. Run runs some of them against one server and returns what they found as a result.Run. Each is bounded in count and time. Figures of the
// server's process come from /proc and from the kernel's table of sockets when it runs on this machine; without them the clients' own figures still come.
//
// It is for servers of one's own: Run refuses to load a server that is not on this machine unless Options.OwnServer is set.
package bench
