// Package mcp implements the Model Context Protocol: a [Server] with tools, resources, prompts,
// completion and subscriptions, and a [Client]. It serves the revisions 2026-07-28, 2025-11-25,
// 2025-06-18, 2025-03-26 and 2024-11-05. Its names are those of package mcp of the official Go SDK.
//
// Most programs only need the first two sections below. They serve their Server over HTTP with
// package server, on listeners of its own or on net/http, and test it with package mcptest:
//
//	s := mcp.NewServer(&mcp.Implementation{Name: "weather", Version: "v1.0.0"}, nil)
//	mcp.AddTool(s, &mcp.Tool{Name: "forecast", Description: "Daily temperatures."}, forecast)
//	log.Fatal(server.ListenAndServe("127.0.0.1:8080", s))
//
// # Tools, resources, prompts and their handlers
//
// A [Server] holds features. [NewServer] makes one from an [Implementation] and [ServerOptions].
//
//   - Tools: [AddTool] and [AddInlineTool] add a [Tool] with a typed handler ([ToolHandlerFor],
//     [InlineToolHandlerFor]) and infer its schemas from the handler's types. [Server.AddTool] adds
//     one with a [ToolHandler] that gets the raw arguments. A handler returns a [CallToolResult]
//     with [Content].
//   - Resources: [Server.AddResource] and [Server.AddResourceTemplate] add a [Resource] or a
//     [ResourceTemplate] with a [ResourceHandler]. [Server.ResourceUpdated] notifies subscribers.
//   - Prompts: [Server.AddPrompt] adds a [Prompt] with a [PromptHandler].
//   - Completion: ServerOptions.CompletionHandler answers completion/complete.
//   - Methods that the protocol does not have: [AddReceivingCustomMethod].
//   - Features of other servers: [Server.Replace] adds what an upstream has, as JSON, and a
//     [Backend] passes their calls on. See the section on forwarding.
//   - Features per caller: ServerOptions.Visible decides which features a [Caller] has.
//   - Middleware: [Server.AddReceivingMiddleware] puts a [Middleware] around everything that
//     clients send, and [Server.AddReceivingMiddlewareFor] around some methods.
//     [Server.AddSendingMiddleware] is for what the server sends of its own accord.
//
// A handler gets a [ServerRequest], such as a [CallToolRequest]. Its methods report progress
// ([ServerRequest.Progress]) and write to the client's log ([ServerRequest.Log]). Its Extra, a
// [RequestExtra], has what is known of the caller: header fields, the verified token and the peer's
// address.
//
// A handler that needs an answer from the user, a model or the client returns an [InputRequestMap]
// ([ElicitParams], [CreateMessageParams], [ListRootsParams]) and runs again with the answers. That
// works in all revisions. In sessions of the earlier ones a handler may wait for the answer instead
// ([ServerSession.Elicit], [ServerSession.CreateMessage], [ServerSession.ListRoots]).
//
// Features may be added and removed at any time and from any goroutine. They form an immutable
// registry that is replaced as a whole, so that a call sees the same features from start to end.
//
// Handlers need not know which revision a client speaks: what they return is written as that
// revision has it, and what they ask travels as that revision wants.
//
// # Connections that stay, and clients
//
// [Server.Run] serves one client over a [Transport], such as [StdioTransport], until the client
// closes the connection. [Server.Connect] does so in the background and returns the
// [ServerSession]. [IOTransport] serves any Reader and Writer, [NewInMemoryTransports] returns the
// two ends of a connection within the process, and other packages may implement Transport.
//
// [NewClient] makes a Client, and [Client.Connect] connects it to a server: over HTTP
// ([StreamableClientTransport]), to a process that it starts ([CommandTransport]), or in memory.
//
// # Forwarding to other servers
//
// A gateway gives a Server the features of upstreams ([Forwarded]) with [Server.Replace], and a
// [Backend] that reaches them. Lists, pages, visibility and subscriptions are those of any other
// feature. A call is a [Forward]: Backend.Start gets it, possibly on an event loop, and whoever has
// the upstream's answer ends it with [Forward.Result], [Forward.Error] or [Forward.Ask], on any
// goroutine. No goroutine waits in between. What the upstream says arrives byte for byte, except
// for what belongs to one hop and what the client's revision writes differently.
// ServerOptions.Route finds the upstream of a URI that no feature has, and [Server.ResourceTarget]
// that of a URI that gets its first subscriber.
//
// # For servers with event loops: from a message to its response
//
// The rest is for packages such as server, which have a transport that is not a Transport. They
// need no other part of this package to serve a message.
//
// A transport decodes a message ([jsonrpc.Envelope]) and adds what it knows of it in a
// [RequestMeta]. [Server.Prepare] checks the message and readies a [Call] for it. It never calls a
// handler, and with RequestMeta.NoWait it never blocks. If it refuses the message, it returns the
// error that answers it, and [Call.Status] gives the HTTP status. Otherwise [Call.Kind] says what
// to do with the message ([CallKind]).
//
// [Call.Run] answers a request. It gives the messages of the call to the transport's [Sink]: first
// all notifications, then exactly one response, whatever the handler does. A Sink may also be a
// [PageSink], a [StreamCloser] or a [Requester] and so do more for the call. If [Call.Inline] is
// true, Run does not wait and may run on an event loop. Otherwise it needs a goroutine of its own.
//
//   - Subscriptions: [Call.Listen] returns the [Listen] that the transport registers.
//     [Server.OnChange] reports each [Change] of a [Topic]; [Server.ChangeMessage],
//     [Server.AppendAcknowledged] and [Server.AppendListenResult] write the messages.
//     [Server.Subscribe] and [Server.Unsubscribe] count the listeners of a resource.
//   - Sessions of earlier revisions belong to the transport. It opens the ID that came with a
//     message and passes what the ID says as a [SessionInfo]. [Call.NewSession] says what a new ID
//     must hold, and [Call.Op] returns the [SessionOp] that the transport carries out.
//     [Server.SessionChangeMessage] writes the notifications that sessions get.
//   - Questions to clients of earlier revisions: a [Requester] sends each [Ask] with [AppendAsk].
//     [AppendAskAnswer] collects the answers, with which [Call.Resume] runs the handler again;
//     [Call.Abandon] ends the call without them.
//   - Calls of upstreams: a CallForward is started with [Call.Forward], which does not block, and
//     ends with Respond or Request on another goroutine. [Call.CancelForward] cancels it. A
//     transport that would rather wait uses Run.
//   - Middleware and the host's handlers may refuse what a message asks of the transport. Such a
//     call is not Inline. Its Sink must be an [Operator], whose methods Run calls when they have
//     let the message pass.
//   - [LegacyRevision], [AllowsBatches] and [ResumableFromStart] say what else a revision wants of
//     a transport.
//
// # Vocabulary
//
// A revision is one dated version of the specification. The modern revisions (2026-07-28 and later)
// carry the version, the client's capabilities and its name in the _meta of every request, and have
// no sessions. The legacy revisions, all earlier ones, have sessions, which initialize opens, and
// their servers may send requests of their own, called asks. Package mcp decides by the envelope
// which revision a message belongs to. One table, in version.go, says what differs between them.
//
// An inline tool is one whose handler does not wait and runs where the message was read. Every
// other handler is a worker handler. A change is a feature that was added or removed, or a
// resource that was updated. A listener is an open subscriptions/listen request.
package mcp
