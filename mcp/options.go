package mcp

import (
	"context"
	"log/slog"
	"time"
)

// ServerOptions configure a [Server]. [NewServer] copies them. The zero value of a field means its
// default.
type ServerOptions struct {
	// Instructions tell a model how to use the server. They are part of the results of
	// server/discover and initialize.
	Instructions string

	// Logger receives what a host should know: panics of handlers and results that cannot be
	// encoded. Default slog.Default().
	Logger *slog.Logger

	// PageSize is the maximum number of entries on a page of a list. Default [DefaultPageSize];
	// negative means no limit.
	PageSize int

	// PageBytes is the maximum length of a page of a list in bytes. A page that would be longer
	// ends an entry earlier, but has at least one. Default 1 MiB; negative means no limit. Where
	// the transport limits its messages, a page is at most half of the longest message, and an
	// entry that no message can hold is left out and reported to Logger.
	PageBytes int

	// UncheckedPatterns admits schemas of tools with patterns that cannot be checked here: those
	// with look-ahead, look-behind, references to groups, or more than 1,000 repetitions. Such a
	// schema is published as it is. The pattern is not enforced, nor is the rest of the schema
	// where that could refuse what the pattern allows. By default AddTool panics. Patterns are
	// regular expressions of ECMA-262; all others are enforced.
	UncheckedPatterns bool

	// CompletionHandler answers completion/complete. Without it the method does not exist, unless
	// Capabilities declares completions; then every completion is empty.
	CompletionHandler func(context.Context, *CompleteRequest) (*CompleteResult, error)

	// Capabilities are what the server declares apart from the features it has. Nil means
	// {"logging":{}}. Tools, prompts and resources are declared, with listChanged and subscribe,
	// once the first one is added; completions are declared if there is a handler. A field that is
	// not nil overrides that.
	Capabilities *ServerCapabilities

	// OnSubscribe is called when a resource URI gets its first subscriber, OnUnsubscribe when it
	// loses the last. Both run on one goroutine of their own, one call at a time, and may block. If
	// subscribers of a URI come and go while a hook runs, only the net change is reported.
	OnSubscribe, OnUnsubscribe func(uri string)

	// SubscribeHandler decides whether a client may subscribe to a resource, and UnsubscribeHandler
	// whether it may end a subscription. An error refuses the request. Both run on a worker and may
	// block. SubscribeHandler is called for each request that subscribes to a resource that is
	// served, and for each resource of a subscriptions/listen; an error refuses all of that.
	// UnsubscribeHandler is called for resources/unsubscribe alone. Most subscriptions end without
	// a request: with their stream or their session. OnUnsubscribe reports the end of the last one.
	SubscribeHandler   func(context.Context, *SubscribeRequest) error
	UnsubscribeHandler func(context.Context, *UnsubscribeRequest) error

	// Route finds the upstream, an owner given to [Server.Replace], for a URI that no resource and no
	// template has. Nil, or false, means that there is no such resource. Route is called where
	// messages are prepared, often on an event loop, and must not wait.
	Route func(kind RouteKind, uri string) (Target, bool)

	// HasTools, HasPrompts and HasResources declare the capability even before the first feature of
	// the kind is added. Capabilities can do the same.
	HasTools, HasPrompts, HasResources bool

	// SupportedProtocolVersions are the revisions to serve, of those that the function
	// [SupportedProtocolVersions] returns. Default: all. The newest of them that has sessions is
	// offered to clients that open one with another revision; if there is none, such clients get
	// [CodeUnsupportedProtocolVersion], as do requests of other revisions.
	SupportedProtocolVersions []string

	// SchemaCache keeps schemas for several servers with the same tools. Nil means no cache.
	SchemaCache *SchemaCache

	// GetSessionID is here so that programs for the official SDK compile. It is never called,
	// which NewServer logs: the ID of a session is sealed, because it holds what the server knows
	// of the session.
	GetSessionID func() string

	// InitializedHandler is called when a client is ready for notifications of its session,
	// RootsListChangedHandler when it says that its roots have changed, and
	// ProgressNotificationHandler when it reports progress of what it was asked. The messages of
	// these names exist only before 2026-07-28. Handlers may block, and run one after another
	// for each connection, whose session can ask the client. Over HTTP they run on workers, at once
	// if the messages come at once, and the session that they get can only be read.
	InitializedHandler          func(context.Context, *InitializedRequest)
	RootsListChangedHandler     func(context.Context, *RootsListChangedRequest)
	ProgressNotificationHandler func(context.Context, *ProgressNotificationServerRequest)

	// KeepAlive is the time between pings to the client of a connection with a session of a
	// revision before 2026-07-28. A client that has not answered KeepAliveFailureThreshold pings
	// in a row loses its session; less than 1 means 1. Default 0, which means no pings. Over HTTP
	// it is ignored: there TCP keepalive and heartbeats find clients that have disappeared.
	KeepAlive                 time.Duration
	KeepAliveFailureThreshold int

	// Visible decides which features a caller has; nil shows all features to all callers. A feature
	// that is not visible to the caller does not exist for it: it is not in lists, calls and reads
	// of it get the error for an unknown one, and nobody can subscribe to it or ask for completions
	// of its arguments. A URI that an invisible resource has may still be served by a template that
	// is visible.
	//
	// Caller describes the caller, and ctx is [RequestMeta].Context. Visible is called for the
	// feature that a request names, and for every feature of the kind when a list is asked for. It
	// must give the same answers to the same caller as long as no change is reported to it. It may
	// be called from many goroutines at once. If it panics, the feature is not visible.
	//
	// By default Visible may wait, for a database for example. Then a worker calls it, and a request
	// that was inline takes its turn among the workers first. See VisibleInline.
	//
	// The encoded lists are kept for each set of visible features, so that all callers with equal
	// rights get the same bytes (VisibleBytes). The cacheScope of lists and of the results of
	// resources/read is private, whatever Cache, a handler or middleware says.
	//
	// Visible is asked when a request arrives. A subscription that was agreed on continues when its
	// resource is no longer visible. The notices that a list has changed name no feature, and go to
	// all who listen. Capabilities are those of the whole server.
	Visible func(ctx context.Context, caller *Caller, kind FeatureKind, name string) bool

	// VisibleInline says that Visible never waits and takes next to no time, because it decides by
	// what the caller has brought along: the scopes of its token, for example. Then it is called
	// where the message was read, usually on an event loop with thousands of other connections, and
	// lists and inline tools stay inline. What Visible has to look up, it should look up when the
	// token is verified, and keep in the token's Extra.
	VisibleInline bool

	// VisibleBytes is the maximum total length in bytes of the lists that are kept encoded for
	// callers that do not see everything. The least recently used are dropped first, and all of them
	// when a feature is added or removed. Default 16 MiB; negative means that none is kept, so that
	// each request encodes its page.
	VisibleBytes int

	// Cache says how long and for whom clients may keep results.
	Cache CacheHints

	// SetCacheable decides the caching fields of each result that has them: those of the lists, of
	// server/discover and of resources/read. It is called after the handler, with c holding the
	// fields of the result, or of Cache if the handler sets none. Its price is that of middleware:
	// lists run on a worker and are encoded for each request. Cache costs nothing. SetCacheable
	// may be called from many goroutines at once.
	SetCacheable func(ctx context.Context, req Request, c *Cacheable)

	// StateKey seals the state that a handler leaves with the client between the rounds of a
	// request. Replicas share it. Default: a random key. OldStateKeys open what was sealed before
	// the key was changed.
	StateKey     []byte
	OldStateKeys [][]byte

	// StateTTL is how long such a state is valid. Default 10 minutes.
	StateTTL time.Duration

	// MaxListenURIs is the maximum number of resources that one subscriptions/listen may name.
	// Default 1024; negative means that it may name none.
	MaxListenURIs int

	// MaxListenBytes is the maximum total length in octets of the URIs of one subscriptions/listen,
	// and the maximum length of the URI of a resources/subscribe. Default 64 KiB; negative means
	// that it may name none.
	MaxListenBytes int
}

// CacheHints are the caching fields of results, by kind. A zero Cacheable means 0 ms and
// "private". The result is then "immediately stale", because only the host knows how long its
// features stay as they are. And it must not be shared between users, because only the host knows
// whether all callers get the same. Set the scope to "public" where they do
// (server/utilities/caching, "Choosing a Cache Scope").
type CacheHints struct {
	Discover          Cacheable
	Tools             Cacheable
	Prompts           Cacheable
	Resources         Cacheable
	ResourceTemplates Cacheable
	ReadResource      Cacheable // of results whose handler sets none
}

// DefaultPageSize is the default of ServerOptions.PageSize.
const DefaultPageSize = 1000

const (
	defaultPageBytes     = 1 << 20
	defaultStateTTL      = 10 * time.Minute
	defaultMaxListenURIs = 1024

	defaultMaxListenBytes = 64 << 10
	defaultVisibleBytes   = 16 << 20
)

// withDefaults returns a copy of o with every default filled in.
func (o *ServerOptions) withDefaults() ServerOptions {
	var out ServerOptions
	if o != nil {
		out = *o
	}
	if out.Logger == nil {
		out.Logger = slog.Default()
	}
	if out.PageSize == 0 {
		out.PageSize = DefaultPageSize
	}
	if out.PageBytes == 0 {
		out.PageBytes = defaultPageBytes
	}
	if out.StateTTL <= 0 {
		out.StateTTL = defaultStateTTL
	}
	if out.MaxListenURIs == 0 {
		out.MaxListenURIs = defaultMaxListenURIs
	}
	if out.MaxListenBytes == 0 {
		out.MaxListenBytes = defaultMaxListenBytes
	}
	if out.VisibleBytes == 0 {
		out.VisibleBytes = defaultVisibleBytes
	}
	if out.Capabilities == nil {
		out.Capabilities = &ServerCapabilities{Logging: &LoggingCapabilities{}}
	}
	h := &out.Cache
	for _, c := range []*Cacheable{&h.Discover, &h.Tools, &h.Prompts, &h.Resources, &h.ResourceTemplates, &h.ReadResource} {
		c.normalize()
	}
	if out.Visible != nil {
		for _, c := range []*Cacheable{&h.Tools, &h.Prompts, &h.Resources, &h.ResourceTemplates, &h.ReadResource} {
			c.CacheScope = CachePrivate
		}
	}
	return out
}

// normalize makes the hints of a list or a resource valid in a result of c. What depends on the
// caller must not be shared.
func (c *Call) normalize(hints *Cacheable) {
	hints.normalize()
	if c.caller != nil {
		hints.CacheScope = CachePrivate
	}
}

// normalize makes c valid on the wire, with a time that is not negative and a known scope.
func (c *Cacheable) normalize() {
	c.TTLMs = max(c.TTLMs, 0)
	if c.CacheScope != CachePublic {
		c.CacheScope = CachePrivate
	}
}
