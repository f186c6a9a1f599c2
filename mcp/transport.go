package mcp

import (
	"context"
	"iter"
	"net/http"
	"net/netip"
	"time"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/jsonrpc"
)

// RequestMeta is what a transport knows of a message apart from its bytes. Prepare reads its byte
// slices; nothing reads them later.
type RequestMeta struct {
	// HTTP says that header fields came with the message and must agree with it (SEP-2243).
	// Without it (in-process use, stdio) no header rule applies, and the fields up to Params are
	// ignored.
	HTTP bool

	ProtocolVersion []byte // MCP-Protocol-Version without white space around it; nil if absent
	Method          []byte // Mcp-Method, likewise
	Name            []byte // Mcp-Name, likewise
	Duplicate       bool   // one of the MCP fields was sent more than once

	// Params ranges over the Mcp-Param-* fields. It yields the name after the prefix, in any case,
	// and the value without white space around it. Nil means that there are none.
	Params iter.Seq2[[]byte, []byte]

	// Session is what the session ID that came with the message says of its session. It is nil if
	// the message came with none. The transport has opened the ID and found it valid for the
	// caller. Prepare copies what the call needs. A modern message is served as if Session were
	// nil.
	Session *SessionInfo

	// SessionID is that ID, for handlers that want to tell sessions apart.
	SessionID string

	// SSE2024 says that the message came over the HTTP+SSE transport of 2024-11-05. That is then
	// the revision of a session that has not agreed on another.
	SSE2024 bool

	// Principal is the authenticated caller, "" if anonymous. The state of a multi round trip is
	// bound to it. The transport sets it: where TokenInfo is set, to TokenInfo.UserID. Prepare does
	// not derive one from the other.
	Principal string

	// Header, TokenInfo and RemoteAddr become the fields of the same names of a handler's
	// [RequestExtra]. Prepare keeps Header itself, not a copy, so it must not change before the
	// call ends. The zero values mean that the transport does not say.
	Header     http.Header
	TokenInfo  *auth.TokenInfo
	RemoteAddr netip.AddrPort

	// Context is what ServerOptions.Visible gets as its context, with values that say who asks. Nil
	// means context.Background(). The handler's context is the one given to [Call.Run].
	Context context.Context

	// NoWait says that Prepare must not wait, as on an event loop. It then readies nothing where it
	// would have to call a Visible that may wait: the call is a CallUnprepared.
	NoWait bool

	// Endpoint names the endpoint that the message came to, such as the path of its URL; "" where
	// there is only one. The state of a multi round trip is bound to it.
	Endpoint string

	// MaxResponse is the length in bytes of the longest response that the transport sends; 0 means
	// no limit. Pages of lists are cut so that they stay well below it.
	MaxResponse int
}

// A Sink takes the messages that a call makes. Each is one whole JSON-RPC message and is valid only
// until the method returns: a Sink copies what it keeps.
type Sink interface {
	// Notify takes a notification that belongs to the call. It may be called from any goroutine
	// until Respond, but not concurrently. It reports whether the message was taken. False means
	// that the client cannot take it, or that a limit is reached.
	Notify(msg []byte) bool

	// Respond takes the response, exactly once, after the last Notify. Code is that of an error
	// response, and 0 for a result.
	Respond(msg []byte, code jsonrpc.Code)
}

// A PageSink is a [Sink] that can send a response without copying it. Lists and the result of
// server/discover are encoded once, and from then on every client gets the same bytes after the id.
type PageSink interface {
	Sink

	// RespondPage is like Respond for a result whose text is head followed by page. Head is valid
	// only until RespondPage returns. Page never changes and may be kept.
	RespondPage(head, page []byte)
}

// A StreamCloser is a [Sink] whose response travels on a stream that the client can resume
// (SEP-1699).
type StreamCloser interface {
	Sink

	// CloseStream ends the HTTP response while the call continues: the client reconnects for the
	// rest, after retry if that is not 0. It may be called from any goroutine until Respond. It
	// reports whether the stream was closed. False means that the stream cannot be resumed, or that
	// the client's revision does not have this.
	CloseStream(retry time.Duration) bool
}

// A Requester is a [Sink] that can ask the client. In a revision without input_required results,
// the Sink of a call should be one.
type Requester interface {
	Sink

	// Request sends asks as requests, each written by [AppendAsk]. It is called instead of
	// Respond, at the end of Run, and copies what it keeps. When the last of them is answered, the
	// transport calls [Call.Resume], which ends with Respond or with another Request. Request
	// returns false if it cannot ask the client; Respond follows then.
	Request(asks []Ask) bool
}

// An Operator is a [Sink] that carries out what requests ask of the transport, once middleware and
// handlers have let them pass. A call needs one if its kind is CallListen, CallInitialize or
// CallSession and [Call.Inline] is false.
type Operator interface {
	Sink

	// OpenSession opens the session that an initialize asks for and returns its ID, "" if it has
	// none. A refusal becomes the response. It is called once, before Respond; if the response is
	// an error nevertheless, there is no session.
	OpenSession(info *SessionInfo) (id string, refusal *jsonrpc.Error)

	// Apply does what a CallSession asks of its session. A refusal becomes the response. It is
	// called before Respond, when middleware has let the request pass; several times only if
	// middleware has repeated the request.
	Apply(op SessionOp) (refusal *jsonrpc.Error)

	// Accept ends a call without a response, instead of Respond: that of a notification, or a
	// CallListen, whose [Call.Listen] the transport then registers and acknowledges.
	Accept()
}

// An Ask is one request to the client.
type Ask struct {
	Key    string // the name under which the handler expects the answer
	Method string
	Params []byte // JSON
}
