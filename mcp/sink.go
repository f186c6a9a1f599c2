package mcp

import (
	"iter"
	"time"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// RequestMeta is what a transport knows of a message beside its bytes. Its slices
// are read only during Prepare.
type RequestMeta struct {
	// HTTP says that header fields came with the message and must agree with it
	// (SEP-2243). Without it (in-process use, stdio) no header rule applies and the
	// fields up to Params are ignored.
	HTTP bool

	ProtocolVersion []byte // MCP-Protocol-Version without surrounding white space, nil when absent
	Method          []byte // Mcp-Method, likewise
	Name            []byte // Mcp-Name, likewise
	Duplicate       bool   // one of the MCP fields was sent more than once

	// Params ranges over the Mcp-Param-* fields: the name after the prefix, in any
	// case, and the value without surrounding white space. Nil when there are none.
	Params iter.Seq2[[]byte, []byte]

	// Session is what the id that came with the message says of its session; nil when it
	// came with none. The transport has opened the id and found it valid for the caller.
	// Prepare copies what the call needs of it.
	// A modern message is served as if there were none.
	Session *SessionInfo

	// SessionID is that id, for handlers that want to tell sessions apart.
	SessionID string

	// SSE2024 says that the message came over the HTTP+SSE transport of 2024-11-05, which
	// is then the revision of a session that has not agreed on another.
	SSE2024 bool

	// Principal is the authenticated caller, "" when anonymous. The state of a multi
	// round trip is bound to it.
	Principal string

	// MaxResponse is the length of the longest response that the transport sends, in
	// bytes; 0: without bound. Pages of lists are cut so that they stay well below it.
	MaxResponse int
}

// A Sink takes the messages that a call makes. Each is one whole JSON-RPC message,
// valid only during the call: a Sink copies what it keeps.
type Sink interface {
	// Notify takes a notification that belongs to the call. It may be called from any
	// goroutine, one at a time, until Respond. It reports whether the message was
	// taken; false: the client cannot take it, or a bound is reached.
	Notify(msg []byte) bool

	// Respond takes the answer, exactly once, after the last Notify. Code is that of
	// an error response and 0 for a result.
	Respond(msg []byte, code jsonrpc.Code)
}

// A PageSink is a [Sink] that can send an answer without a copy of it. Lists and
// server/discover are encoded once and then the same for everybody but for the id.
type PageSink interface {
	Sink

	// RespondPage is Respond for a result whose text is head followed by page. Head is
	// valid only during the call; page never changes, and may be kept.
	RespondPage(head, page []byte)
}

// A StreamCloser is a [Sink] whose answer travels on a stream that the client can
// resume (SEP-1699).
type StreamCloser interface {
	Sink

	// CloseStream ends the response under way, while the call goes on: the client comes
	// back for the rest, after retry if that is not 0. It may be called from any
	// goroutine until Respond. It reports whether the stream was closed; false: it cannot
	// be resumed, or the client's revision does not know this.
	CloseStream(retry time.Duration) bool
}
