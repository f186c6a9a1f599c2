// Package badserver has small MCP servers on net/http that are correct except for selected faults,
// so that tests can check that a measurement finds each fault, and finds none in the correct
// server.
//
// They speak 2026-07-28 and 2025-11-25 on /mcp, with the tools echo {text}, toggle {} (adds or
// removes the tool extra, and notifies all listeners), sleep {milliseconds} and large {bytes}, and
// answer GET /healthz. Their times are short so that tests are: a stream gets a comment each
// second, and a peer that does not respond for three seconds is given up.
//
// [Start] runs a server in this process. [StartProcess] runs one in a process of its own, by
// executing the test binary again, whose TestMain begins with [MainIfAsked].
package badserver
