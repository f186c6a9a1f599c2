package server

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
)

// ServeHTTP makes a Server a handler of net/http: it serves a request by its path, as the listeners
// of Serve do, with the same limits, streams and sessions. It starts the event loops if nothing has
// started them. To mount an endpoint on a mux under a path of its own, use
// [NewStreamableHTTPHandler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.serveHTTP(w, r, &ownMount)
}

var ownMount = mount{own: true}

// StreamableHTTPOptions configure a [StreamableHTTPHandler]. Their names are those of the official
// Go SDK; Options has everything else. The zero value serves all revisions with the defaults.
type StreamableHTTPOptions struct {
	// Stateless serves earlier revisions without sessions: no Mcp-Session-Id is issued or read, GET
	// and DELETE get 405, handlers cannot ask their client, and a disconnect cancels a call.
	Stateless bool
	// JSONResponse makes the answer to a call a single JSON message if the client accepts one. The
	// call then sends no notifications, and its handler cannot ask a client of an earlier revision.
	JSONResponse bool
	// Logger receives what an operator should know. Default: that of Options, or slog.Default().
	Logger *slog.Logger
	// SessionTimeout is how long the server keeps the state of a session whose client is not seen.
	// The ID itself stays valid: see SessionLifetime and SessionIdle of Options. Default: that of
	// Options.
	SessionTimeout time.Duration
	// DisableLocalhostProtection allows requests that arrive at a loopback address to name any host
	// and origin.
	DisableLocalhostProtection bool
	// CrossOriginProtection decides which requests of browsers are refused with 403, in place of
	// AllowedOrigins of Options.
	CrossOriginProtection *http.CrossOriginProtection
	// MaxRequestBodyBytes is the maximum length of content. Longer content gets 413. Default: that
	// of Options, 4 MiB. It cannot be turned off: a negative value means the default and is logged.
	MaxRequestBodyBytes int64
	// PropagateRequestCancellation has no effect: on 2026-07-28 a disconnect always cancels the
	// call, and on earlier revisions never.
	PropagateRequestCancellation bool

	// Options are the limits, deadlines and event loops of the handler. Path, SSEPath and SocketMode
	// have no effect: the path is the mux's business.
	Options *Options
}

// A StreamableHTTPHandler serves MCP over Streamable HTTP on net/http, in all revisions. It may be
// mounted on any mux, behind any middleware. Its methods may be called from any goroutine.
type StreamableHTTPHandler struct {
	handler
}

// NewStreamableHTTPHandler returns a handler that serves the server that getServer returns for a
// request. Nothing runs before the first request. If getServer returns nil, the request gets 400.
// getServer is called once for each request, on the goroutine of net/http.
//
// NewStreamableHTTPHandler copies opts, which may be nil, and panics if they are not valid: see
// Options.Validate.
func NewStreamableHTTPHandler(getServer func(*http.Request) *mcp.Server, opts *StreamableHTTPOptions) *StreamableHTTPHandler {
	var o StreamableHTTPOptions
	if opts != nil {
		o = *opts
	}
	h := &StreamableHTTPHandler{handler{
		getServer: getServer,
		protect:   o.CrossOriginProtection,
		mount:     mount{stateless: o.Stateless, json: o.JSONResponse},
		opts:      handlerOptions(o.Options, o.Logger, o.DisableLocalhostProtection, o.MaxRequestBodyBytes),
	}}
	if o.SessionTimeout > 0 {
		h.opts.SessionIdle = o.SessionTimeout
	}
	if o.CrossOriginProtection != nil {
		h.opts.AllowedOrigins = []string{"*"}
	}
	h.check()
	return h
}

// SSEOptions configure an [SSEHandler].
type SSEOptions struct {
	// DisableLocalhostProtection is as in StreamableHTTPOptions.
	DisableLocalhostProtection bool
	// MaxRequestBodyBytes is as in StreamableHTTPOptions.
	MaxRequestBodyBytes int64

	// Options are as in StreamableHTTPOptions.
	Options *Options
}

// An SSEHandler serves the HTTP+SSE transport of 2024-11-05 on net/http: a GET opens a stream and
// its session, and messages are posted to the same URL with the session's parameter. Its methods
// may be called from any goroutine.
type SSEHandler struct {
	handler
}

// NewSSEHandler returns a handler for HTTP+SSE. getServer and opts are as for
// [NewStreamableHTTPHandler].
func NewSSEHandler(getServer func(*http.Request) *mcp.Server, opts *SSEOptions) *SSEHandler {
	var o SSEOptions
	if opts != nil {
		o = *opts
	}
	h := &SSEHandler{handler{
		getServer: getServer,
		mount:     mount{sse: true},
		opts:      handlerOptions(o.Options, nil, o.DisableLocalhostProtection, o.MaxRequestBodyBytes),
	}}
	h.check()
	return h
}

// handlerOptions returns the options of the event loops of a handler.
func handlerOptions(given *Options, log *slog.Logger, anyHost bool, maxBody int64) Options {
	var o Options
	if given != nil {
		o = *given
	}
	o.Path, o.SSEPath = "/mcp", "/sse" // nobody sees them
	if log != nil {
		o.Logger = log
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if anyHost {
		o.AllowedHosts = []string{"*"}
	}
	switch {
	case maxBody > 0:
		o.MaxBody = maxBody
	case maxBody < 0:
		o.Logger.Warn("server: MaxRequestBodyBytes cannot be turned off, the default is used")
	}
	return o
}

// handler is what both handlers are.
type handler struct {
	getServer func(*http.Request) *mcp.Server
	protect   *http.CrossOriginProtection
	mount     mount
	opts      Options

	mu     sync.Mutex // guards what follows
	srv    *Server    // made for the first request
	closed bool
}

// check panics if the options are not valid.
func (h *handler) check() {
	if err := h.opts.Validate(); err != nil {
		panic(err) // a programming error
	}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.protect != nil {
		if err := h.protect.Check(r); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
	}
	m := h.getServer(r)
	if m == nil {
		http.Error(w, "no server available", http.StatusBadRequest)
		return
	}
	s := h.serverOf(m)
	if s == nil {
		http.Error(w, shuttingDown, http.StatusServiceUnavailable)
		return
	}
	s.serveHTTP(w, r, &h.mount)
}

// serverOf returns the server whose loops serve m, or nil if the handler is closed.
func (h *handler) serverOf(m *mcp.Server) *Server {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return nil
	case h.srv == nil:
		h.srv = New(m, &h.opts)
	}
	return h.srv
}

// Shutdown ends the requests that the handler serves, as [Server.Shutdown] does, and then its event
// loops. From then on requests get 503.
func (h *handler) Shutdown(ctx context.Context) error {
	h.mu.Lock()
	h.closed = true
	s := h.srv
	h.mu.Unlock()
	if s == nil {
		return nil
	}
	return s.Shutdown(ctx)
}

// Close is Shutdown without patience: what is in progress is cut off.
func (h *handler) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := h.Shutdown(ctx); err != nil && err != context.Canceled {
		return err
	}
	return nil
}

// Stats returns the metrics of the handler: see [Server.Stats].
func (h *handler) Stats() Stats {
	h.mu.Lock()
	s := h.srv
	h.mu.Unlock()
	if s == nil {
		return Stats{}
	}
	return s.Stats()
}
