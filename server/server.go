package server

import (
	"context"
	"log/slog"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mooring-mcp/mooring/httpparse"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"github.com/mooring-mcp/mooring/server/internal/engine"
	"github.com/mooring-mcp/mooring/server/internal/session"
	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

// Server serves an mcp.Server over Streamable HTTP. Its methods may be called from any goroutine,
// except that an inline tool must not call Shutdown.
type Server struct {
	opts      Options
	main      *service // that of Options.Path
	endpoints atomic.Pointer[endpoints]
	guests    guests
	deadlines deadlines
	limits    httpparse.Limits
	mount     mount // of ServeHTTP
	headers   headerFilter
	scopes    *scopeRules // nil if no operation needs a scope
	describes bool        // requests of the server's own listeners are described: see conn.describe
	start     time.Time
	smallIDs  [1024]string // "0", "1", …: shared by the streams with such an ID
	base      context.Context
	cancel    context.CancelCauseFunc

	admission *engine.Admission
	engine    engine.Engine // immutable once started
	loops     []*loop       // immutable once started
	halt      chan struct{} // closed to end the ticker
	helper    sync.WaitGroup

	dateNow atomic.Pointer[dateLine]
	parked  atomic.Bool   // the ticker waits for longer than a tick, or is about to
	alarm   chan struct{} // ends that wait

	mu        sync.Mutex // guards started, startErr, acceptors, departed and changes of endpoints
	departed  departed
	started   bool
	startErr  error
	acceptors map[engine.Acceptor]struct{}
	accepting sync.WaitGroup // the Serve calls in progress

	up       atomic.Bool // the loops run
	draining atomic.Bool
	shutdown sync.Once
	stopped  chan struct{}
	drainErr error

	tickets  *session.Tickets
	sessions *session.Table[*job]

	streams   atomic.Int64
	calls     atomic.Int64
	loose     atomic.Int64 // calls of earlier revisions that continue without a connection
	homes     homes
	other     *home          // of the http.Server for Options.Other; nil if there is none
	auth      *authenticator // nil if everybody is served
	quotas    *quotas        // nil if no client has limits of its own
	outside   atomic.Uint64  // requests of net/http that were refused before a loop got them
	unsent    atomic.Int64   // bytes that wait for peers, as last counted
	yielding  sync.Mutex     // guards yieldNext; held while connections are asked to give way
	yieldNext time.Time      // no connection is asked to give way before this time
	refusals  refusals
	secure    atomic.Pointer[tlsServer] // of ServeTLS; nil before its first call
	tlsErrors atomic.Uint64

	tlsRefused atomic.Uint64
}

// New returns a Server for s. It copies opts, which may be nil for the defaults. Nothing runs
// before the first Serve. New panics if s is nil, or if opts is not valid: see Options.Validate.
func New(s *mcp.Server, opts *Options) *Server {
	if s == nil {
		panic("server: New: the mcp.Server is nil")
	}
	o := withDefaults(opts)
	srv := &Server{
		opts:      o,
		deadlines: deadlinesOf(&o),
		limits: httpparse.Limits{
			RequestLine: o.MaxRequestLine,
			Head:        o.MaxHead,
			Fields:      o.MaxFields,
			Content:     o.MaxBody,
		},
		headers: newHeaderFilter(o.HandlerHeaders),
		scopes:  newScopeRules(o.Scopes),
		describes: len(o.HandlerHeaders) > 0 || o.Context != nil ||
			len(o.ProxyProtocol) > 0 || len(o.TrustedProxies) > 0,
		start:     time.Now(),
		acceptors: make(map[engine.Acceptor]struct{}),
		stopped:   make(chan struct{}),
		halt:      make(chan struct{}),
		alarm:     make(chan struct{}, 1),
	}
	err := o.Validate()
	if err != nil {
		panic(err) // a programming error
	}
	at := &endpoints{policy: endpoint.Policy{
		Path:    o.Path,
		Origins: o.AllowedOrigins,
		Hosts:   o.AllowedHosts,
		Modern:  o.ModernOnly,
	}}
	if o.SSEPath != "" && !o.ModernOnly {
		at.policy.SSE, at.policy.Messages = o.SSEPath, o.SSEPath+messagePath
	}
	if srv.tickets, err = session.NewTickets(o.SessionKeys, o.SessionLifetime); err != nil {
		panic(err) // a key is too short, which is a programming error
	}
	srv.mount = mount{maxBody: o.MaxBody, own: true}
	srv.quotas = newQuotas(srv)
	srv.sessions = newSessions(srv)
	srv.auth = newAuthenticator(srv)
	at.publishAll(srv)
	srv.admission = engine.NewAdmission(engine.Config{
		Host:           host{srv},
		Loops:          o.Loops,
		MaxConnections: o.MaxConnections,
		Sockets:        engine.SocketOptions{KeepAlive: o.KeepAlive},
		Logger:         o.Logger,
	})
	for i := range srv.smallIDs {
		srv.smallIDs[i] = strconv.Itoa(i)
	}
	srv.base, srv.cancel = context.WithCancelCause(context.Background())
	srv.refreshDate(srv.start)
	srv.main = newService(srv, site{mcp: s, path: o.Path, sse: at.policy.SSE})
	srv.main.watch()
	at.services = []*service{srv.main}
	srv.endpoints.Store(at)
	return srv
}

// Ready reports whether the server accepts new work: it has started and is not draining.
func (s *Server) Ready() bool {
	return s.up.Load() && !s.draining.Load()
}

// ensureStarted starts the event loops, once.
func (s *Server) ensureStarted() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		return ErrServerClosed
	}
	if s.started {
		return s.startErr
	}
	s.started = true
	if s.startErr = s.startEngine(); s.startErr != nil {
		return s.startErr
	}
	if s.startErr = s.openAccepting(); s.startErr != nil {
		s.engine.Stop()
		return s.startErr
	}
	if s.opts.Other != nil {
		s.startOther()
	}
	s.helper.Go(s.runTicker)
	s.up.Store(true)
	return nil
}

func (s *Server) clock() time.Time { return time.Now() }

func (s *Server) tick() tick { return s.tickAt(s.clock()) }

func (s *Server) tickAt(t time.Time) tick { return tick(t.Sub(s.start) / tickUnit) }

// dateLine is the value of the Date field for one second.
type dateLine struct {
	second int64
	text   string
}

// date returns the value of the Date field. On a loop, it is at most one tick old.
func (s *Server) date() string { return s.dateNow.Load().text }

// refreshDate renews the value of the Date field if the second has changed. It may be called from
// any goroutine.
func (s *Server) refreshDate(t time.Time) {
	second := t.Unix()
	if d := s.dateNow.Load(); d == nil || d.second != second {
		s.dateNow.Store(&dateLine{second, t.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")})
	}
}

// logPanic counts and logs a panic in a loop's own code.
func (s *Server) logPanic(l *loop, r any) {
	l.m.panics.Add(1)
	s.opts.Logger.Error("panic on an event loop",
		"loop", l.idx, "panic", r, "stack", string(debug.Stack()))
}

func (s *Server) logger() *slog.Logger { return s.opts.Logger }

// newSessions returns the table of the sessions of s.
func newSessions(s *Server) *session.Table[*job] {
	o := &s.opts
	charge, discharge := s.quotas.chargeSessions()
	return session.New[*job](session.Options{
		Charge:       charge,
		Discharge:    discharge,
		MaxSessions:  o.MaxSessions,
		MaxRevoked:   o.MaxRevoked,
		ReplayTotal:  o.ReplayTotal,
		ReplayBytes:  o.ReplayBytes,
		ReplayEvents: o.ReplayEvents,
		ReplayAge:    wheel.Ticks(o.ReplayAge),
		AnswersTotal: o.AnswersTotal,
		Idle:         wheel.Ticks(o.SessionIdle),
		First:        s.rouse,
		Forgot:       forgotSubscriptions,
	})
}
