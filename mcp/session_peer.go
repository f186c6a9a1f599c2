package mcp

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A peer is the client at the other end of a connection, with all that its session holds. What it
// is locked for never waits: handlers run and messages are written without its lock.
//
// Two locks may be taken while peer.mu is held, and no others: that of the outbox, and that of the
// server's subscribers.
type peer struct {
	s       *Server
	conn    Connection
	texts   textConn
	opts    ServerSessionOptions
	session ServerSession // what Connect returns
	base    context.Context
	stop    context.CancelCauseFunc
	out     outbox
	reader  leadership
	running sync.WaitGroup // goroutines of handlers
	leaders sync.WaitGroup // goroutines that read or have read

	mu       sync.Mutex // guards the rest
	ended    bool
	cause    error // why it has ended
	closeErr error
	done     chan struct{} // closed after the end; then cause and closeErr stay

	rev         *revision    // of the session of an earlier revision; nil before initialize
	info        *SessionInfo // what it says with each message; replaced as a whole
	params      []byte       // of its initialize, if they are kept
	opened      *InitializeParams
	initialized *InitializedParams
	level       LoggingLevel  // as set
	opening     chan struct{} // closed when the messages behind an initialize may be handled; or nil

	calls   map[string]*servedCall // in flight, by the text of their id
	asks    map[int64]*question
	nextAsk int64

	subscriptions
	hooks   []*servedCall // notifications that have not run yet
	hooking bool          // a goroutine runs them
	refused int           // lines that were no messages
	dropped int           // notifications that found too many waiting
}

func newPeer(ctx context.Context, s *Server, conn Connection, opts ServerSessionOptions) *peer {
	p := &peer{s: s, conn: conn, opts: opts, done: make(chan struct{}), calls: make(map[string]*servedCall)}
	var ok bool
	if p.texts, ok = conn.(textConn); !ok {
		p.texts = &valueConn{Connection: conn}
	}
	p.reader.timer = time.AfterFunc(time.Hour, p.impatient)
	p.reader.timer.Stop()
	p.base, p.stop = context.WithCancelCause(ctx)
	p.out.init(func(lines []byte) error { return p.texts.writeLines(p.base, lines) }, p.end, opts.MaxUnsent, opts.WriteTimeout)
	p.session.peer, p.session.id = p, conn.SessionID()
	if state := opts.State; state != nil {
		p.restore(state)
	}
	return p
}

// restore takes over the state of a session that began elsewhere.
func (p *peer) restore(state *ServerSessionState) {
	p.level = state.LogLevel
	p.initialized = state.InitializedParams
	init := state.InitializeParams
	if init == nil {
		return
	}
	own := *init
	p.opened = &own
	version := state.NegotiatedProtocolVersion
	if version == "" {
		version = init.ProtocolVersion
	}
	rev := legacyNamed([]byte(version))
	if rev == nil {
		return // a modern client, which says everything with each request
	}
	p.rev = rev
	p.info = &SessionInfo{Revision: rev.name, LogLevel: p.level}
	if init.Capabilities != nil {
		if caps, err := marshal(init.Capabilities); err == nil {
			p.info.Capabilities = rev.agreed(capabilityBits(caps))
		}
	}
	if init.ClientInfo != nil {
		p.info.setClient(init.ClientInfo.Name, init.ClientInfo.Version)
	}
	if p.initialized != nil {
		p.begin()
	}
}

// end ends the session because of cause, which is io.EOF if the client has closed the connection.
// It does not wait for the end: p.done is closed then. It may be called from any goroutine and
// several times; the first cause counts.
func (p *peer) end(cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	p.ended, p.cause = true, cause
	go p.finish()
}

// finish ends what the session holds, and then its connection.
func (p *peer) finish() {
	p.mu.Lock()
	p.unsubscribeAll(p.cause != io.EOF)
	asks := p.asks
	p.asks = nil
	var parked []*servedCall
	var upstream []*Forward
	for _, c := range p.calls {
		if c.upstream != nil && c.running {
			upstream = append(upstream, c.upstream)
		}
		if !c.running {
			c.running = true
			parked = append(parked, c)
		}
	}
	cause, refused, dropped := p.cause, p.refused, p.dropped
	p.mu.Unlock()

	why := cause
	if cause == io.EOF || cause == ErrConnectionClosed {
		why = errEndedWhile
	}
	for _, q := range asks {
		q.fail(why)
	}
	p.stop(why)
	for _, f := range upstream {
		f.cancel(why)
	}
	for _, c := range parked {
		c.abandon("the session has ended")
	}
	if refused > 1 {
		p.s.opts.Logger.Warn("mcp: lines that are not messages were refused", "lines", refused)
	}
	if dropped > 1 {
		p.s.opts.Logger.Warn("mcp: notifications were dropped, because their handlers are slow", "notifications", dropped)
	}
	await(endGrace, func() {
		p.running.Wait()
		p.out.settle()
	})
	err := p.conn.Close()
	p.out.close()
	await(readGrace, p.leaders.Wait)
	p.s.peers.remove(p)
	p.mu.Lock()
	p.closeErr = err
	p.mu.Unlock()
	close(p.done)
}

// await waits until f returns, but no longer than limit.
func await(limit time.Duration, f func()) {
	done := make(chan struct{})
	go func() {
		f()
		close(done)
	}()
	grace := time.NewTimer(limit)
	defer grace.Stop()
	select {
	case <-done:
	case <-grace.C:
	}
}

// refuse answers a line that is not a message, or a message that was refused. In the revisions
// that want an id in every response, an unknown one is null (JSON-RPC 2.0, section 5).
func (p *peer) refuse(id []byte, e *jsonrpc.Error) {
	if id == nil {
		p.mu.Lock()
		if p.info != nil && p.rev.nullID {
			id = []byte("null")
		}
		p.refused++
		first := p.refused == 1
		p.mu.Unlock()
		if first {
			p.s.opts.Logger.Warn("mcp: a line that is not a message was refused", "error", e.Message)
		}
	}
	p.out.put(jsonrpc.AppendError(nil, id, e))
}
