package mcp

import (
	"context"
	"log/slog"
	"slices"
	"sync"
)

// A Client speaks to servers, each over a connection of its own. Its methods may be called from any
// goroutine.
type Client struct {
	impl Implementation
	opts ClientOptions

	mu        sync.Mutex // guards the rest
	roots     []*Root    // in the order in which they were added
	sessions  []*ClientSession
	sending   []Middleware
	receiving []Middleware
	custom    map[string]func() Result // methods beyond the protocol's
}

// ClientOptions configure a [Client]. [NewClient] copies them. The handlers of notifications run
// one after another for each session; those of questions run on goroutines of their own.
type ClientOptions struct {
	// Logger receives what goes wrong without a caller to tell. Default slog.Default().
	Logger *slog.Logger

	// ElicitationHandler answers questions to the user. A client with it declares the capability,
	// for forms; Capabilities may declare more.
	ElicitationHandler func(context.Context, *ElicitRequest) (*ElicitResult, error)

	// CreateMessageHandler answers questions to the model, and CreateMessageWithToolsHandler those
	// that may offer tools. At most one of them may be set. A client with one declares the
	// capability.
	CreateMessageHandler          func(context.Context, *CreateMessageRequest) (*CreateMessageResult, error)
	CreateMessageWithToolsHandler func(context.Context, *CreateMessageWithToolsRequest) (*CreateMessageWithToolsResult, error)

	// Capabilities are what the client declares in addition to what its handlers imply. Nil means
	// roots with listChanged. Of the roots only RootsV2 counts.
	Capabilities *ClientCapabilities

	// The handlers of notifications. If one of those for lists is set, the client asks servers of
	// 2026-07-28 to be notified.
	ToolListChangedHandler      func(context.Context, *ToolListChangedRequest)
	PromptListChangedHandler    func(context.Context, *PromptListChangedRequest)
	ResourceListChangedHandler  func(context.Context, *ResourceListChangedRequest)
	ResourceUpdatedHandler      func(context.Context, *ResourceUpdatedNotificationRequest)
	LoggingMessageHandler       func(context.Context, *LoggingMessageRequest)
	ProgressNotificationHandler func(context.Context, *ProgressNotificationClientRequest)
	ElicitationCompleteHandler  func(context.Context, *ElicitationCompleteNotificationRequest)

	// MultiRoundTrip says what to do with results that ask. Nil means that the handlers answer, and
	// the request is sent again.
	MultiRoundTrip *MultiRoundTripOptions
}

// MultiRoundTripOptions configure how a [Client] treats results that ask.
type MultiRoundTripOptions struct {
	// Disabled returns such a result to the caller.
	Disabled bool
}

// NewClient returns a client that identifies itself as impl. Nil options are the defaults. It
// panics if impl is nil, or if both handlers for the model are set.
func NewClient(impl *Implementation, options *ClientOptions) *Client {
	if impl == nil {
		panic("mcp: NewClient: nil Implementation")
	}
	c := &Client{impl: *impl}
	if options != nil {
		c.opts = *options
	}
	if c.opts.CreateMessageHandler != nil && c.opts.CreateMessageWithToolsHandler != nil {
		panic("mcp: NewClient: two handlers for sampling/createMessage")
	}
	if c.opts.Logger == nil {
		c.opts.Logger = slog.Default()
	}
	return c
}

// AddRoots adds roots, or replaces those of the same URIs, and notifies the servers of sessions.
func (c *Client) AddRoots(roots ...*Root) {
	c.changeRoots(func(all []*Root) []*Root {
		for _, r := range roots {
			i := slices.IndexFunc(all, func(o *Root) bool { return o.URI == r.URI })
			if i < 0 {
				all = append(all, r)
			} else {
				all[i] = r
			}
		}
		return all
	})
}

// RemoveRoots removes the roots with the URIs, and notifies the servers of sessions.
func (c *Client) RemoveRoots(uris ...string) {
	c.changeRoots(func(all []*Root) []*Root {
		return slices.DeleteFunc(all, func(r *Root) bool { return slices.Contains(uris, r.URI) })
	})
}

func (c *Client) changeRoots(change func([]*Root) []*Root) {
	c.mu.Lock()
	c.roots = change(slices.Clone(c.roots))
	sessions := slices.Clone(c.sessions)
	c.mu.Unlock()
	if caps := c.capabilities(); caps.RootsV2 == nil || !caps.RootsV2.ListChanged {
		return
	}
	for _, cs := range sessions {
		if !cs.modern() {
			// A session that has ended needs no notice.
			_ = sendNote(cs.ctx, cs, "notifications/roots/list_changed", &RootsListChangedParams{})
		}
	}
}

// AddSendingMiddleware puts middleware around the requests and notifications that the client sends.
// The first argument is the outermost of them, but inside the middleware that was added before.
func (c *Client) AddSendingMiddleware(middleware ...Middleware) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sending = slices.Concat(c.sending, middleware)
}

// AddReceivingMiddleware puts middleware around the requests and notifications that the client
// gets, in the same order.
func (c *Client) AddReceivingMiddleware(middleware ...Middleware) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.receiving = slices.Concat(c.receiving, middleware)
}

// chain returns h inside middleware.
func chain(middleware []Middleware, h MethodHandler) MethodHandler {
	for i := len(middleware) - 1; i >= 0; i-- {
		h = middleware[i](h)
	}
	return h
}

// capabilities returns what c declares.
func (c *Client) capabilities() *ClientCapabilities {
	caps := ClientCapabilities{RootsV2: &RootCapabilities{ListChanged: true}}
	if c.opts.Capabilities != nil {
		caps = *c.opts.Capabilities
	}
	if caps.Elicitation == nil && c.opts.ElicitationHandler != nil {
		caps.Elicitation = &ElicitationCapabilities{Form: &FormElicitationCapabilities{}}
	}
	if caps.Sampling == nil {
		switch {
		case c.opts.CreateMessageHandler != nil:
			caps.Sampling = &SamplingCapabilities{}
		case c.opts.CreateMessageWithToolsHandler != nil:
			caps.Sampling = &SamplingCapabilities{Tools: &SamplingToolsCapabilities{}}
		}
	}
	return &caps
}

// remove forgets a session that has ended.
func (c *Client) remove(cs *ClientSession) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions = slices.DeleteFunc(c.sessions, func(o *ClientSession) bool { return o == cs })
}
