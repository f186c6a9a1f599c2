// Package badserver has small MCP servers on net/http that are good but for the faults they are told to have, so that tests can see that a measurement finds each fault, and finds none in the good one.
//
// They speak 2026-07-28 and 2025-11-25 on /mcp, with the tools echo {text}, toggle {} (adds or removes the tool extra, and tells who listens), sleep {milliseconds} and large {bytes}, and answer GET /healthz.
// Times are short, so that tests are: a comment each second on a stream, a peer that does not answer for three is given up.
//
// [Start] runs one in this process. [StartProcess] runs one in a process of its own, by executing the test binary again, whose TestMain begins with [MainIfAsked].
package badserver
