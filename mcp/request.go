package mcp

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/mooring-mcp/mooring/auth"
)

// A ServerRequest is a request to a server, with the params of its method. Worker handlers and
// middleware may keep it and the bytes in Params ([CallToolParamsRaw.Arguments]); once the request
// is answered, its methods do nothing and return nil. The handler of an inline tool must not keep
// it: request and bytes are valid until it returns.
type ServerRequest[P Params] struct {
	Session *ServerSession
	Params  P
	Extra   *RequestExtra
}

type (
	// A CallToolRequest is the request that the handler of a tool gets.
	CallToolRequest = ServerRequest[*CallToolParamsRaw]
	// A ReadResourceRequest is the request that a [ResourceHandler] gets.
	ReadResourceRequest = ServerRequest[*ReadResourceParams]
	// A GetPromptRequest is the request that a [PromptHandler] gets.
	GetPromptRequest = ServerRequest[*GetPromptParams]
	// A CompleteRequest is the request that ServerOptions.CompletionHandler gets.
	CompleteRequest = ServerRequest[*CompleteParams]
)

// Only middleware and the hooks of [ServerOptions] see these requests and notifications.
type (
	DiscoverRequest                   = ServerRequest[*DiscoverParams]
	InitializeRequest                 = ServerRequest[*InitializeParams]
	InitializedRequest                = ServerRequest[*InitializedParams]
	ListToolsRequest                  = ServerRequest[*ListToolsParams]
	ListPromptsRequest                = ServerRequest[*ListPromptsParams]
	ListResourcesRequest              = ServerRequest[*ListResourcesParams]
	ListResourceTemplatesRequest      = ServerRequest[*ListResourceTemplatesParams]
	ProgressNotificationServerRequest = ServerRequest[*ProgressNotificationParams]
	RootsListChangedRequest           = ServerRequest[*RootsListChangedParams]
	SubscribeRequest                  = ServerRequest[*SubscribeParams]
	SubscriptionsListenRequest        = ServerRequest[*SubscriptionsListenParams]
	UnsubscribeRequest                = ServerRequest[*UnsubscribeParams]
)

// RequestExtra is what is known of a request apart from its params.
type RequestExtra struct {
	// Principal is the authenticated caller, "" if anonymous.
	Principal string

	// Header holds header fields of the HTTP request, under their canonical names. It is nil unless
	// the host has asked for header fields, and it may hold only those that the host has named. It
	// is shared by all that see the request, and must not be changed. It may be kept.
	Header http.Header

	// TokenInfo is what the bearer token of the request says. It is nil if nobody has verified one.
	// It must not be changed.
	TokenInfo *auth.TokenInfo

	// RemoteAddr is the address of the network peer, which may be a proxy. It is zero if the
	// transport does not say, or if the peer has no IP address, as over a Unix socket or stdio.
	RemoteAddr netip.AddrPort

	// Trace is the trace context of the request, zero if it has none. Handlers with a context find
	// it there too, see [TraceContext].
	Trace Trace

	// Variables are the variables of the resource template that serves a resources/read, with their
	// values in the URI. The value of a variable with the explode modifier is the text of all its
	// values: "a/b" for {/path*}, and "k=v&l=w" for {?params*}. It is nil for other requests.
	Variables map[string]string

	// CloseSSEStream ends the HTTP response while the handler continues. The client reconnects for
	// the rest, so that a long call needs no open connection (SEP-1699). It is nil if the client
	// could not resume the stream, as in all revisions but 2025-11-25. It may be called from any
	// goroutine; once the request has been answered it does nothing.
	CloseSSEStream func(CloseSSEStreamArgs)
}

// CloseSSEStreamArgs are the arguments of [ServerRequest.CloseSSEStream].
type CloseSSEStreamArgs struct {
	// RetryAfter is how long the client should wait before it reconnects. 0 leaves it to the
	// client.
	RetryAfter time.Duration
}

// CloseSSEStream ends the HTTP response while the handler continues, as RequestExtra.CloseSSEStream
// does. It does nothing where that is nil.
func (r *ServerRequest[P]) CloseSSEStream(args CloseSSEStreamArgs) { r.Session.CloseSSEStream(args) }

// ClientCapabilities returns what the client declared, on this request or for its session. The
// result is never nil.
func (r *ServerRequest[P]) ClientCapabilities() *ClientCapabilities {
	ss := r.Session.some()
	if ss.rev == nil {
		if caps := r.claimed().Capabilities; caps != nil {
			return caps
		}
	}
	return ss.clientCapabilities()
}

// ClientInfo returns the name and version that the client gave, or nil if it gave none. They are
// not verified. In a session over HTTP the name is cut to 24 octets, and a version that does not
// fit into 28 octets with it is left out.
func (r *ServerRequest[P]) ClientInfo() *Implementation {
	ss := r.Session.some()
	if ss.rev == nil {
		return r.claimed().ClientInfo
	}
	return ss.clientInfo()
}

// ProtocolVersion returns the name of the request's revision.
func (r *ServerRequest[P]) ProtocolVersion() string {
	ss := r.Session.some()
	if ss.rev == nil {
		return r.claimed().ProtocolVersion
	}
	return ss.rev.name
}

// claimed returns what the client says of itself, for a request that no call has brought: one of a
// connection's session, or one that a test has made. It is what the session says, or else what the
// metadata of the request says.
func (r *ServerRequest[P]) claimed() *InitializeParams {
	if p := r.Session.InitializeParams(); p != nil {
		return p
	}
	claims := new(InitializeParams)
	var none P
	if any(r.Params) == any(none) {
		return claims
	}
	meta := r.Params.GetMeta()
	claims.ProtocolVersion, _ = meta[MetaKeyProtocolVersion].(string)
	claims.Capabilities = claimedIn[ClientCapabilities](meta, MetaKeyClientCapabilities)
	claims.ClientInfo = claimedIn[Implementation](meta, MetaKeyClientInfo)
	return claims
}

// claimedIn returns the member of meta as a *T, which it is or marshals to. It returns nil if there
// is none.
func claimedIn[T any](meta map[string]any, key string) *T {
	value, ok := meta[key]
	if typed, is := value.(*T); is || !ok {
		return typed
	}
	text, err := marshal(value)
	if err != nil {
		return nil
	}
	typed := new(T)
	if decodeExact(text, typed) != nil {
		return nil
	}
	return typed
}

// Progress reports to the client how far the request is. Total is 0 if it is unknown. See
// [ServerSession.NotifyProgress].
func (r *ServerRequest[P]) Progress(progress, total float64, message string) error {
	return r.Session.some().progress(progress, total, message)
}

// Log sends data to the client's log. See [ServerSession.Log].
func (r *ServerRequest[P]) Log(level LoggingLevel, logger string, data any) error {
	return r.Session.some().log(level, logger, data)
}

// GetSession returns r.Session, which is a *[ServerSession].
func (r *ServerRequest[P]) GetSession() Session { return r.Session }

// GetParams returns r.Params.
func (r *ServerRequest[P]) GetParams() Params { return r.Params }

// GetExtra returns r.Extra.
func (r *ServerRequest[P]) GetExtra() *RequestExtra { return r.Extra }

func (*ServerRequest[P]) isRequest() {}
