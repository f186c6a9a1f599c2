package mcp

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync"
	"time"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// ServerSessionOptions configure a session of [Server.Connect]. Nil means the defaults.
type ServerSessionOptions struct {
	// State is what is known of the session already, for a client that was connected before. Nil
	// means nothing.
	State *ServerSessionState

	// MaxCalls is the maximum number of requests in flight, subscriptions/listen included. Others
	// get an error at once. Default 1000; negative means no limit.
	MaxCalls int

	// MaxUnsent is the number of bytes that may wait for a client that does not read. Beyond it,
	// notifications are not sent, and no more requests are read. Default 4 MiB.
	MaxUnsent int

	// WriteTimeout is how long one write may take before the session ends: a message, or several
	// that have 64 KiB together, for a client that reads slowly or not at all. Default 30 s.
	WriteTimeout time.Duration
}

// ServerSessionState is what a session of an earlier revision has agreed on.
type ServerSessionState struct {
	InitializeParams  *InitializeParams  `json:"initializeParams"`
	InitializedParams *InitializedParams `json:"initializedParams"`

	// NegotiatedProtocolVersion is the revision of the session. "" means the one that the client
	// has asked for in InitializeParams.
	NegotiatedProtocolVersion string `json:"negotiatedProtocolVersion,omitempty"`

	LogLevel LoggingLevel `json:"logLevel"`
}

const (
	defaultMaxCalls     = 1000
	defaultMaxUnsent    = 4 << 20
	defaultWriteTimeout = 30 * time.Second

	// maxAsks is the number of requests to a client that may wait for an answer.
	maxAsks = 64

	// endGrace is how long the end of a session waits for handlers to return, and for a client to
	// take their answers.
	endGrace = time.Second

	// readGrace is how long it then waits for a read to return, which that of standard input does
	// not do before there is input.
	readGrace = 20 * time.Millisecond
)

func (o *ServerSessionOptions) withDefaults() ServerSessionOptions {
	var out ServerSessionOptions
	if o != nil {
		out = *o
	}
	if out.MaxCalls == 0 {
		out.MaxCalls = defaultMaxCalls
	}
	if out.MaxUnsent <= 0 {
		out.MaxUnsent = defaultMaxUnsent
	}
	if out.WriteTimeout <= 0 {
		out.WriteTimeout = defaultWriteTimeout
	}
	return out
}

// Run serves one client over t until the client closes the connection; then it returns nil. If ctx
// ends first, Run ends the session and returns the error of ctx. The contexts of handlers that
// still run are cancelled, and Run waits a second at most for them to return.
func (s *Server) Run(ctx context.Context, t Transport) error {
	ss, err := s.Connect(ctx, t, nil)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { ss.peer.end(ErrConnectionClosed) })
	defer stop()
	err = ss.Wait()
	if e := ctx.Err(); e != nil && errors.Is(err, ErrConnectionClosed) {
		return e
	}
	return err
}

// Connect begins to serve a client over t, and returns at once. All revisions are served; each
// request says in which one it is. Messages are handled concurrently: each call of a handler has
// a goroutine, and a message never waits for the handler of another. Only behind an initialize that
// middleware sees do they wait, for a second at most.
//
// Ctx is for making the connection; handlers get its values, but not its end. Nil opts are the
// defaults.
func (s *Server) Connect(ctx context.Context, t Transport, opts *ServerSessionOptions) (*ServerSession, error) {
	conn, err := t.Connect(ctx)
	if err != nil {
		return nil, err
	}
	p := newPeer(context.WithoutCancel(ctx), s, conn, opts.withDefaults())
	s.peers.add(p)
	p.leaders.Add(1)
	go p.lead(0)
	return &p.session, nil
}

// Sessions ranges over the sessions of [Server.Connect] and [Server.Run] that have not ended.
// Clients over HTTP are not among them: what a server knows of them is in the IDs of their
// sessions, which the clients keep.
func (s *Server) Sessions() iter.Seq[*ServerSession] {
	return func(yield func(*ServerSession) bool) {
		for _, p := range s.peers.all() {
			if !yield(&p.session) {
				return
			}
		}
	}
}

// Wait waits until the session has ended. It returns nil if the client has closed the connection,
// [ErrConnectionClosed] after [ServerSession.Close], and otherwise what has ended the session. For
// the session of a request over HTTP it returns nil at once.
func (ss *ServerSession) Wait() error {
	if ss == nil || ss.peer == nil {
		return nil
	}
	<-ss.peer.done
	if err := ss.peer.cause; err != io.EOF {
		return err
	}
	return nil
}

// Close ends the session of a connection: subscriptions end, the contexts of handlers are
// cancelled, and the connection is closed as soon as they have returned, but at most a second
// later. It returns the error of closing the connection. For the session of a request over HTTP
// it does nothing.
func (ss *ServerSession) Close() error {
	if ss == nil || ss.peer == nil {
		return nil
	}
	ss.peer.end(ErrConnectionClosed)
	<-ss.peer.done
	return ss.peer.closeErr
}

// peerSet is the set of the peers of a server, in the order in which they came.
type peerSet struct {
	mu    sync.Mutex // guards peers
	peers []*peer
}

func (s *peerSet) add(p *peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.peers = append(s.peers, p)
}

func (s *peerSet) remove(p *peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.peers {
		if s.peers[i] == p {
			s.peers = append(s.peers[:i:i], s.peers[i+1:]...)
			return
		}
	}
}

func (s *peerSet) all() []*peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peers[:len(s.peers):len(s.peers)]
}

var (
	errManyCalls   = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "too many calls in flight"}
	errInFlight    = &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: "Invalid Request: a request with this id is in flight"}
	errInitialized = &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: "Invalid Request: the session is initialized already"}
	errInBatch     = &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: "Invalid Request: it cannot be part of a batch"}
	errLongBatch   = &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: "Invalid Request: too many messages in a batch"}
	errLongLine    = &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: "Invalid Request: the message is too long"}
	errManyURIs    = &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "Invalid params: too many subscriptions"}
	errCancelled   = errors.New("mcp: the client has cancelled the request")
	errEndedWhile  = errors.New("mcp: the session has ended")
)
