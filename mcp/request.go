package mcp

import "time"

// A ServerRequest is a request to a server, with the params that its method has. It
// is valid until its handler returns, and so is what Params holds as bytes
// ([CallToolParamsRaw.Arguments]); strings may be kept.
type ServerRequest[P any] struct {
	Session *ServerSession
	Params  P
	Extra   *RequestExtra
}

// The requests that handlers see.
type (
	CallToolRequest              = ServerRequest[*CallToolParamsRaw]
	ReadResourceRequest          = ServerRequest[*ReadResourceParams]
	GetPromptRequest             = ServerRequest[*GetPromptParams]
	CompleteRequest              = ServerRequest[*CompleteParams]
	DiscoverRequest              = ServerRequest[*DiscoverParams]
	ListToolsRequest             = ServerRequest[*ListToolsParams]
	ListPromptsRequest           = ServerRequest[*ListPromptsParams]
	ListResourcesRequest         = ServerRequest[*ListResourcesParams]
	ListResourceTemplatesRequest = ServerRequest[*ListResourceTemplatesParams]
)

// ListParams is the params of the list methods.
type ListParams struct {
	Meta   Meta   `json:"_meta,omitempty"`
	Cursor string `json:"cursor,omitempty"`
}

// The params of the list methods by their names.
type (
	ListToolsParams             = ListParams
	ListPromptsParams           = ListParams
	ListResourcesParams         = ListParams
	ListResourceTemplatesParams = ListParams
)

// DiscoverParams is the params of server/discover.
type DiscoverParams struct {
	Meta Meta `json:"_meta,omitempty"`
}

// RequestExtra is what a transport knows of a request beside its params.
type RequestExtra struct {
	// Principal is the authenticated caller, "" when anonymous.
	Principal string

	// Trace is the trace context of the request, zero when it has none. Handlers with a
	// context find it there too, see [TraceContext].
	Trace Trace

	// Variables are those of the resource template that serves a resources/read, with
	// the values that the URI gives them; otherwise nil.
	Variables map[string]string

	session *ServerSession
}

// CloseSSEStreamArgs are the arguments of [RequestExtra.CloseSSEStream].
type CloseSSEStreamArgs struct {
	// RetryAfter is when the client should come back; 0: as it likes.
	RetryAfter time.Duration
}

// CloseSSEStream ends the response under way while the handler goes on: the client
// comes back for the rest, so that nobody need hold a connection for a long call
// (SEP-1699). It does nothing where the client could not come back, as in all revisions
// but 2025-11-25, or once the request is answered.
func (x *RequestExtra) CloseSSEStream(args CloseSSEStreamArgs) {
	if x != nil && x.session != nil {
		x.session.closeStream(args.RetryAfter)
	}
}

// CloseSSEStream ends the response under way while the handler goes on. See
// [RequestExtra.CloseSSEStream].
func (r *ServerRequest[P]) CloseSSEStream(args CloseSSEStreamArgs) {
	r.Session.closeStream(args.RetryAfter)
}

// ClientCapabilities returns what the client declared, on this request or for its
// session; never nil.
func (r *ServerRequest[P]) ClientCapabilities() *ClientCapabilities {
	return r.Session.clientCapabilities()
}

// ClientInfo returns the name and version that the client gave, or nil if it gave
// none. Of the client of a session only the name is known, cut to 24 octets. It is not
// verified.
func (r *ServerRequest[P]) ClientInfo() *Implementation { return r.Session.clientInfo() }

// ProtocolVersion returns the name of the request's revision.
func (r *ServerRequest[P]) ProtocolVersion() string { return r.Session.rev.name }

// Progress tells the client how far the request is, out of total, which is 0 when
// unknown. See [ServerSession.NotifyProgress].
func (r *ServerRequest[P]) Progress(progress, total float64, message string) error {
	return r.Session.progress(progress, total, message)
}

// Log sends data to the client's log. See [ServerSession.Log].
func (r *ServerRequest[P]) Log(level LoggingLevel, logger string, data any) error {
	return r.Session.log(level, logger, data)
}

// GetSession returns r.Session.
func (r *ServerRequest[P]) GetSession() *ServerSession { return r.Session }

// GetParams returns r.Params.
func (r *ServerRequest[P]) GetParams() any { return r.Params }

// GetExtra returns r.Extra.
func (r *ServerRequest[P]) GetExtra() *RequestExtra { return r.Extra }
