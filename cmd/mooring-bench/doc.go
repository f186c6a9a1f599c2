// Command mooring-bench measures an MCP server, given its URL: what an idle stream costs, how
// quickly a client that has disconnected is forgotten, what one stalled reader does to the others,
// and what a call costs. It writes a document that compare and report read. For CI, it exits with 1
// when a threshold is crossed.
package main
