package badserver

import (
	"context"
	"crypto/rand"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// Times and sizes of a correct server.
const (
	heartbeat   = time.Second
	headTime    = 2 * time.Second
	bodyTime    = 5 * time.Second // from the head to the end of the content
	idleTime    = 30 * time.Second
	writeTime   = 3 * time.Second // for a peer to accept what it is sent
	drainTime   = 10 * time.Second
	maxHead     = 16 << 10
	maxContent  = 1 << 20
	maxLarge    = 16 << 20
	sessionSize = 16 << 10
)

// A Server runs in this process. Its methods may be called from any goroutine.
type Server struct {
	URL string // of the MCP endpoint

	faults  faults
	http    *http.Server
	hub     hub
	key     [32]byte
	one     sync.Mutex // BlocksHealth: held by each request, except waiting streams
	drain   chan struct{}
	drained sync.Once

	mu       sync.Mutex           // guards the rest
	extra    bool                 // the tool extra exists
	revoked  map[string]time.Time // IDs that DELETE has ended, until then
	sessions map[string][]byte    // LeakSessions
	kept     []*keptConn          // LeakCloseWait, HugeHeads
}

// Start serves on a port of 127.0.0.1 until Close.
func Start(list ...Fault) (*Server, error) {
	if err := checkFaults(list); err != nil {
		return nil, err
	}
	s := &Server{faults: faults{}, drain: make(chan struct{}), revoked: map[string]time.Time{}, sessions: map[string][]byte{}}
	for _, f := range list {
		s.faults[f] = true
	}
	_, _ = rand.Read(s.key[:])
	s.hub.init(s.faults[SlowFanout])
	config := net.ListenConfig{KeepAlive: -1}
	if !s.faults[KeepDeadPeers] {
		config.KeepAliveConfig = net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 3}
		config.KeepAlive = 0
	}
	l, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.URL = "http://" + l.Addr().String() + "/mcp"
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: headTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHead, ErrorLog: log.New(io.Discard, "", 0)}
	if s.faults[HugeHeads] {
		s.http.ReadHeaderTimeout, s.http.MaxHeaderBytes = 0, 1<<30
	}
	go func() { _ = s.http.Serve(&listener{TCPListener: l.(*net.TCPListener), server: s}) }()
	return s, nil
}

// Shutdown ends the server as SIGTERM does in a process of its own: for up to ten seconds, streams
// get their results and calls their answers.
func (s *Server) Shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	s.drained.Do(func() { close(s.drain) })
	err := s.http.Shutdown(ctx)
	s.Close()
	return err
}

// Close ends the server at once, including what its faults have kept.
func (s *Server) Close() {
	s.drained.Do(func() { close(s.drain) })
	_ = s.http.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.kept {
		_ = c.TCPConn.Close()
	}
	s.kept = nil
	clear(s.sessions)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.faults[BlocksHealth] {
		s.one.Lock()
		defer s.one.Unlock()
	}
	switch r.URL.Path {
	case "/healthz":
		_, _ = w.Write([]byte("ok\n"))
	case "/mcp":
		s.serveMCP(w, r)
	default:
		http.NotFound(w, r)
	}
}
