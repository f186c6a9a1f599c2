package mcp

import (
	"context"
	"log/slog"
	"time"
)

// ServerOptions configure a [Server]. They are copied by [NewServer]; the zero
// value of a field means its default.
type ServerOptions struct {
	// Instructions tell a model how to use the server. They are part of the result of
	// server/discover.
	Instructions string

	// Logger takes what a host should know: panics of handlers, results that cannot
	// be encoded. Default slog.Default().
	Logger *slog.Logger

	// PageSize is how many entries a page of a list holds. Default 1000; negative: all
	// of them.
	PageSize int

	// PageBytes is how many bytes a page of a list holds; one that would be longer ends
	// an entry earlier, but holds at least one. Default 1 MiB; negative: without bound.
	// Where the transport sends no message of that length, it is half of its longest,
	// and an entry that no message can hold is left out and reported to Logger.
	PageBytes int

	// UncheckedPatterns lets tools have schemas with patterns that cannot be checked here: with
	// look-ahead, look-behind, references to groups, or more than 1,000 repetitions. Such a schema is
	// published as it is; the pattern is not enforced, nor is the rest of the schema where that
	// could refuse what the pattern allows. Default: AddTool panics. Patterns are regular expressions
	// of ECMA-262; all others are enforced.
	UncheckedPatterns bool

	// CompletionHandler answers completion/complete. Without it the method does not
	// exist, unless Capabilities declares completions: then every completion is empty.
	CompletionHandler func(context.Context, *CompleteRequest) (*CompleteResult, error)

	// Capabilities are what the server declares beyond the features it has. Nil means
	// {"logging":{}}. Tools, prompts and resources are declared from the first one
	// added on, with listChanged and subscribe; completions, if there is a handler. A
	// field that is not nil here overrides that.
	Capabilities *ServerCapabilities

	// OnSubscribe is called when a resource URI gets its first subscriber, OnUnsubscribe
	// when it loses the last. Both run on one goroutine of their own, one call at a time,
	// and may block; a URI that changes to and fro meanwhile is told once, or not at all
	// if it is where it was.
	OnSubscribe, OnUnsubscribe func(uri string)

	// Cache says how long and for whom clients may keep results.
	Cache CacheHints

	// StateKey seals what a handler leaves with the client between the rounds of a
	// request. Servers that stand in for each other share it. Default: a random key of
	// this server's own. OldStateKeys open what was sealed before the key was changed.
	StateKey     []byte
	OldStateKeys [][]byte

	// StateTTL is how long such a state may be used. Default 10 minutes.
	StateTTL time.Duration

	// MaxListenURIs is how many resources one subscriptions/listen may name. Default
	// 1024; negative: none.
	MaxListenURIs int

	// MaxListenBytes is how many octets the URIs of one subscriptions/listen may have
	// together, and each URI of a resources/subscribe. Default 64 KiB; negative: none.
	MaxListenBytes int
}

// CacheHints are the caching fields of results, by kind. A zero Cacheable is 0 ms
// and "private": "immediately stale", for only the host knows how long its features
// stay as they are, and not to be shared between users, for only the host knows
// whether its callers are told apart. Set a scope of "public" where every caller gets
// the same (server/utilities/caching, "Choosing a Cache Scope").
type CacheHints struct {
	Discover          Cacheable
	Tools             Cacheable
	Prompts           Cacheable
	Resources         Cacheable
	ResourceTemplates Cacheable
	ReadResource      Cacheable // of results whose handler sets none
}

const (
	defaultPageSize      = 1000
	defaultPageBytes     = 1 << 20
	defaultStateTTL      = 10 * time.Minute
	defaultMaxListenURIs = 1024

	defaultMaxListenBytes = 64 << 10
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
		out.PageSize = defaultPageSize
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
	if out.Capabilities == nil {
		out.Capabilities = &ServerCapabilities{Logging: &LoggingCapabilities{}}
	}
	h := &out.Cache
	for _, c := range []*Cacheable{&h.Discover, &h.Tools, &h.Prompts, &h.Resources, &h.ResourceTemplates, &h.ReadResource} {
		c.normalize()
	}
	return out
}

// normalize makes c valid on the wire: a time that is not negative and a scope.
func (c *Cacheable) normalize() {
	c.TTLMs = max(c.TTLMs, 0)
	if c.CacheScope != CachePublic {
		c.CacheScope = CachePrivate
	}
}
