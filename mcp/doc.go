// Package mcp is the Model Context Protocol for servers, without a transport: tools,
// resources, prompts, completion, subscriptions and the rules of the envelope, for
// the revisions 2026-07-28, 2025-11-25, 2025-06-18, 2025-03-26 and 2024-11-05.
//
// # For hosts
//
// A [Server] holds features. [AddTool] and [AddInlineTool] add typed tools whose
// schemas are inferred from the handler's types; [Server.AddTool],
// [Server.AddResource], [Server.AddResourceTemplate] and [Server.AddPrompt] add the
// rest. Features may be added and removed at any time from any goroutine: the
// features are an immutable registry that is replaced as a whole, so that a call
// sees one state from start to end. Names and signatures are those of the official
// Go SDK, and handlers written for it move here by changing an import.
//
// # For transports
//
// A transport decodes a message, asks [Server.Prepare] whether it is valid, and
// runs the readied [Call] with a [Sink] that takes the messages of the answer. All
// that Prepare refuses has a code and, by [Call.Status], an HTTP status. Prepare
// never blocks and never calls a handler. [Call.Inline] reports whether Run may run
// on an event loop too; otherwise it belongs on a goroutine of its own.
//
// A call answers exactly once, whatever its handler does, and everything it
// notifies is given to the Sink before its answer.
//
// Sessions are the transport's: it opens an id that came with a message, says what the
// id says in [RequestMeta], and keeps what a [Call] of one of the kinds for sessions
// asks it to. Which of the revisions a message belongs to is decided here, by the
// envelope.
//
// # Vocabulary
//
// A revision is one dated version of the specification. The modern revisions
// (2026-07-28 and later) carry the version, the client's capabilities and its name
// in the _meta of every request, and know no session. The legacy revisions, all
// earlier ones, have sessions, which initialize opens, and the server may send requests
// of its own: asks. An inline tool is one whose
// handler does not wait and runs where the message was read; every other handler is
// a worker handler. A change is a feature added or removed, or a resource updated.
// A listener is a held subscriptions/listen request.
//
// What differs from revision to revision stands in one table, in version.go. Handlers
// need not know any of it: what they return is written as the client's revision has it,
// and what they ask of the client travels as that revision wants.
package mcp
