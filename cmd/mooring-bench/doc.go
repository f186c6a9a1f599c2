// Command mooring-bench measures an MCP server, given its URL: what an idle stream costs, how fast a client that has gone is forgotten, what one reader that stalls does to the others, what a call
// costs. It writes a document that compare and report read, and exits with 1 when a threshold is crossed, for CI.
package main
