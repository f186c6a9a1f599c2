// Package bench measures MCP servers from outside, given their URL: what an idle stream costs, how
// quickly a server forgets a client that has disconnected, how long a change takes to reach every
// client, what one stalled reader does to the others, and what a call costs. It works against any
// server over HTTP, at revision 2026-07-28 and at earlier ones.
//
// A scenario measures one thing; Scenarios lists them. Run runs some of them against one server and
// returns what they found as a result.Run. Each scenario is bounded in count and time. Figures
// about the server's process come from /proc and from the kernel's table of sockets when the server
// runs on this machine; without them, the figures that the clients measure are still reported.
//
// The package is meant for servers of your own: Run refuses to load a server that is not on this
// machine unless Options.OwnServer is set.
package bench
