package server

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
)

// ServeHTTP makes a Server a handler of net/http: it serves a request by its path, as the listeners
// of Serve do, with the same limits, streams and sessions. It starts the event loops if nothing has
// started them. To mount an endpoint on a mux under a path of its own, use
// [NewStreamableHTTPHandler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.opts.Other != nil && r.RequestURI != "*" && !s.endpoints.Load().policy.Takes(r.URL.EscapedPath()) {
		s.opts.Other.ServeHTTP(w, r)
		return
	}
	if !s.starts() {
		s.refuseHTTP(w, 503, shuttingDown)
		return
	}
	s.serveHTTP(w, r, &s.mount, nil)
}

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
	// AllowedOrigins of Options. A request with an Origin needs its permission for POST, whatever
	// its method is.
	CrossOriginProtection *http.CrossOriginProtection
	// MaxRequestBodyBytes is the maximum length of content. Longer content gets 413. Default: that
	// of Options, 4 MiB. It cannot be turned off: a negative value means the default and is logged.
	MaxRequestBodyBytes int64
	// PropagateRequestCancellation has no effect: on 2026-07-28 a disconnect always cancels the
	// call, and on earlier revisions never.
	PropagateRequestCancellation bool
	// EventStore has no effect, except that it is logged: the server keeps the events of streams by
	// itself, within ReplayBytes, ReplayEvents, ReplayAge and ReplayTotal of Options.
	EventStore mcp.EventStore

	// Options are the limits, deadlines and event loops of the handler. Path, SSEPath, Other and
	// SocketMode have no effect: paths are the mux's business. Default Engine: EngineEpoll on
	// Linux, because its loops wait for goroutines as cheaply as for sockets.
	Options *Options
	// Server is a server whose event loops the handler shares, instead of starting its own. Its
	// limits, deadlines and metrics hold for both together. Of Options only AllowedHosts,
	// AllowedOrigins and MaxBody are used then, and SessionTimeout has no effect. The handler ends
	// with that server.
	Server *Server
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
// NewStreamableHTTPHandler copies opts, which may be nil. It panics if getServer is nil, or if opts
// are not valid: see Options.Validate.
func NewStreamableHTTPHandler(getServer func(*http.Request) *mcp.Server, opts *StreamableHTTPOptions) *StreamableHTTPHandler {
	var o StreamableHTTPOptions
	if opts != nil {
		o = *opts
	}
	h := &StreamableHTTPHandler{handler{
		getServer: getServer,
		protect:   o.CrossOriginProtection,
		shared:    o.Server,
		opts:      handlerOptions(o.Options, o.Logger, o.DisableLocalhostProtection, o.MaxRequestBodyBytes),
	}}
	if o.EventStore != nil {
		h.opts.Logger.Warn("server: EventStore is not used, because the server keeps the events of streams by itself")
	}
	if o.SessionTimeout > 0 {
		h.opts.SessionIdle = o.SessionTimeout
	}
	if o.CrossOriginProtection != nil {
		h.opts.AllowedOrigins = []string{"*"}
	}
	h.mount = mount{stateless: o.Stateless, json: o.JSONResponse}
	h.init()
	return h
}

// SSEOptions configure an [SSEHandler].
type SSEOptions struct {
	// DisableLocalhostProtection is as in StreamableHTTPOptions.
	DisableLocalhostProtection bool
	// MaxRequestBodyBytes is as in StreamableHTTPOptions.
	MaxRequestBodyBytes int64

	// Options and Server are as in StreamableHTTPOptions.
	Options *Options
	Server  *Server
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
		shared:    o.Server,
		mount:     mount{sse: true},
		opts:      handlerOptions(o.Options, nil, o.DisableLocalhostProtection, o.MaxRequestBodyBytes),
	}}
	h.init()
	return h
}

// handlerOptions returns the options of the event loops of a handler.
func handlerOptions(given *Options, log *slog.Logger, anyHost bool, maxBody int64) Options {
	var o Options
	if given != nil {
		o = *given
	}
	o.Path, o.SSEPath, o.Other = "/mcp", "", nil // nobody sees them
	if o.Engine == "" {
		o.Engine = handlerEngine
	}
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
	shared    *Server
	mount     mount
	opts      Options

	usual atomic.Pointer[service] // of the first request, which the handler holds

	mu     sync.Mutex // guards what follows
	srv    *Server    // made for the first request
	closed bool
}

// init prepares h. It panics if the options are not valid.
func (h *handler) init() {
	if h.getServer == nil {
		panic("server: a handler of net/http needs a getServer")
	}
	if err := h.opts.Validate(); err != nil {
		panic(err) // a programming error
	}
	o := withDefaults(&h.opts)
	h.mount.maxBody = o.MaxBody
	h.mount.policy = &endpoint.Policy{
		Path: o.Path, SSE: "/sse", Messages: "/sse" + messagePath, // nobody sees them
		Origins: o.AllowedOrigins, Hosts: o.AllowedHosts, Modern: o.ModernOnly,
	}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h.checkOrigin(r); err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	m := h.getServer(r)
	if m == nil {
		http.Error(w, "no server available", http.StatusBadRequest)
		return
	}
	s, svc := h.serviceOf(m, r.URL.Path)
	if s == nil {
		http.Error(w, shuttingDown, http.StatusServiceUnavailable)
		return
	}
	defer svc.release()
	s.serveHTTP(w, r, &h.mount, svc)
}

// checkOrigin applies CrossOriginProtection. A request with an Origin needs the permission for
// POST, whatever its method is: a browser shows the responses to a page of that origin, and takes
// the answer to a preflight for the permission.
func (h *handler) checkOrigin(r *http.Request) error {
	if h.protect == nil {
		return nil
	}
	if r.Header["Origin"] != nil && r.Method != http.MethodPost {
		r = r.WithContext(r.Context()) // a copy
		r.Method = http.MethodPost
	}
	return h.protect.Check(r)
}

// serviceOf returns the service of m at a path, which the caller holds, and its Server. They are
// nil if the handler is closed.
func (h *handler) serviceOf(m *mcp.Server, path string) (*Server, *service) {
	if svc := h.usual.Load(); svc != nil && svc.mcp == m && svc.path == path && !svc.removed.Load() && svc.srv.starts() {
		return svc.srv, svc.hold()
	}
	s := h.serverOf(m, path)
	if s == nil || !s.starts() {
		return nil, nil
	}
	at := site{mcp: m, path: path}
	if h.mount.sse {
		at.sse = path
	}
	svc := s.serviceOf(at)
	if h.usual.CompareAndSwap(nil, svc) {
		svc.hold()
	}
	return s, svc
}

// serverOf returns the Server whose loops serve h, or nil if h is closed. m and path are of the
// request.
func (h *handler) serverOf(m *mcp.Server, path string) *Server {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return nil
	case h.shared != nil:
		return h.shared
	case h.srv == nil:
		o := h.opts
		if pathFault(path) == "" && !h.mount.sse {
			o.Path = path // so that its own service is the one that is asked for
		}
		h.srv = New(m, &o)
	}
	return h.srv
}

// starts starts the event loops, if they have not been started yet, and reports whether the server
// takes requests.
func (s *Server) starts() bool {
	return s.Ready() || s.ensureStarted() == nil && !s.draining.Load()
}

// Shutdown ends the requests that the handler serves, as [Server.Shutdown] does, and then its event
// loops. From then on requests get 503. Loops that are shared are not affected.
func (h *handler) Shutdown(ctx context.Context) error {
	h.mu.Lock()
	again := h.closed
	h.closed = true
	s := h.srv
	h.mu.Unlock()
	if svc := h.usual.Load(); svc != nil && !again {
		h.usual.Store(&closedService)
		svc.release()
	}
	if s == nil {
		return nil
	}
	return s.Shutdown(ctx)
}

// closedService takes the place of the usual service when a handler is closed.
var closedService service

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
	switch {
	case h.shared != nil:
		s = h.shared
	case s == nil:
		return Stats{}
	}
	return s.Stats()
}
