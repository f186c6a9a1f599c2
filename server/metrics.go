package server

import (
	"sync/atomic"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

// closeReason says why a connection ended.
type closeReason uint8

const (
	closePeer        closeReason = iota // the peer's FIN
	closeReset                          // the peer's RST, or another read error
	closeWriteError                     // a write failed
	closeDone                           // after a response with Connection: close or to HTTP/1.0
	closeRefused                        // after a request that violated HTTP
	closeHeadTimeout                    // Options.HeadTimeout
	closeBodyTimeout                    // Options.BodyTimeout
	closeIdleTimeout                    // Options.IdleTimeout
	closeStalled                        // Options.WriteTimeout
	closeUnsent                         // Options.MaxUnsent
	closeUnsentTotal                    // Options.UnsentTotal
	closePipelined                      // Options.MaxPipelined
	closeDescriptors                    // silent at the descriptor limit; another client waited
	closeDrain                          // Shutdown
	closePanic                          // a bug in the server itself
	closeReturned                       // given back to net/http, and so not closed for the client
	closeProxy                          // the header of Options.ProxyProtocol is malformed or missing
	closeOther                          // handed over to Options.Other, and so not closed either
	closeQuota                          // refused because of Options.PerAddress
	numCloseReasons
)

var closeReasonNames = [numCloseReasons]string{
	"peer", "reset", "write_error", "done", "refused", "head_timeout", "body_timeout", "idle_timeout",
	"write_stalled", "unsent_limit", "unsent_total", "pipelined_limit", "descriptors", "drain", "panic", "returned",
	"proxy_header", "other", "address_limit",
}

func (r closeReason) String() string { return closeReasonNames[r] }

// outcome is how a request ended.
type outcome uint8

const (
	outcomeOK        outcome = iota // a result
	outcomeError                    // a JSON-RPC error from the method
	outcomeRefused                  // refused before the method ran
	outcomeCancelled                // the client cancelled or disconnected first
	outcomeOverload                 // refused because of a limit of the server
	outcomeTimeout                  // Options.CallTimeout
	numOutcomes
)

var outcomeNames = [numOutcomes]string{"ok", "error", "refused", "cancelled", "overload", "timeout"}

func (o outcome) String() string { return outcomeNames[o] }

// loopMetrics are the metrics of one loop. Only the loop writes them, except tickPosted. Any
// goroutine may read them.
type loopMetrics struct {
	connections atomic.Int64
	streams     atomic.Int64
	// sessionStreams counts the streams that belong to sessions of earlier revisions.
	sessionStreams atomic.Int64
	requests       [mcp.NumMethods][numOutcomes]atomic.Uint64
	http           atomic.Uint64 // requests other than messages to the MCP endpoint
	refused        atomic.Uint64 // requests refused because of their head or framing
	bytesIn        atomic.Uint64
	bytesOut       atomic.Uint64
	closes         [numCloseReasons]atomic.Uint64
	authenticated  atomic.Uint64 // requests whose caller has a verdict of authOK
	panics         atomic.Uint64
	lagNanos       atomic.Int64  // the longest delay of a tick in this window
	lagBefore      atomic.Int64  // the same for the window before
	lagWindow      atomic.Uint32 // the number of this window
	tickPosted     atomic.Int64  // when the tick that waits was posted, in Unix nanoseconds, or 0
	_              [64]byte      // keeps the next loop's counters off this cache line
}

// lagTicks is the length of a window of loop lag, in ticks. It is no shorter than the usual time
// between two scrapes.
const lagTicks = 150

// lag records that the tick of now ran nanos late.
func (m *loopMetrics) lag(now tick, nanos int64) {
	if w, before := uint32(now/lagTicks), m.lagWindow.Load(); w != before {
		m.lagBefore.Store(m.lagNanos.Swap(0))
		if w != before+1 {
			m.lagBefore.Store(0) // the loop rested for a whole window
		}
		m.lagWindow.Store(w)
	}
	if nanos > m.lagNanos.Load() {
		m.lagNanos.Store(nanos)
	}
}

// lagAt returns the longest lag in the window of now and the one before. The loop may have rested
// in both.
func (m *loopMetrics) lagAt(now tick) int64 {
	switch uint32(now/lagTicks) - m.lagWindow.Load() {
	case 0:
		return max(m.lagNanos.Load(), m.lagBefore.Load())
	case 1:
		return m.lagNanos.Load()
	}
	return 0
}

// Stats is a snapshot of a Server's metrics. Values of type uint64 are counters, which only grow;
// the others are gauges.
type Stats struct {
	Connections       int64
	Streams           int64 // open streams of subscriptions/listen and of sessions
	SessionStreams    int64 // open streams of sessions of earlier revisions
	SessionsWithState int64 // sessions that hold state
	RevokedSessions   int64 // session IDs that were deleted and have not expired
	ReplayBytes       int64 // bytes of events kept for clients that reconnect
	InboxBytes        int64 // bytes that wait for event loops
	AnswerBytes       int64 // bytes of client answers that handlers have not run with yet
	UnsentBytes       int64 // bytes that wait for peers to read
	CallsInFlight     int64 // calls that a goroutine serves
	Requests          map[RequestLabels]uint64
	OtherRequests     uint64 // health checks and preflights
	Refused           uint64 // requests refused because of their head or framing
	// Refusals counts what was refused by class: "authentication", "scope", "proxy",
	// "token_binding", "user_header", "handshake", and for each limit of Options.PerPrincipal one
	// such as "principal_calls": connections, streams, sessions, calls, call_rate, list_rate, and
	// tracked if there was no room for another principal. The classes of PerAddress begin with
	// "address_".
	Refusals map[string]uint64
	// Tracked counts the clients that are remembered for their limits: "principal", "address". It
	// has those with limits alone.
	Tracked       map[string]int64
	BytesIn       uint64
	BytesOut      uint64
	Closes        map[string]uint64 // closed connections, by reason
	AcceptErrors  uint64
	AcceptRefused uint64 // connections above MaxConnections
	Panics        uint64
	TLSErrors     uint64 // failed handshakes, and connections that break the rules of HTTP/2
	TLSRefused    uint64 // connections closed because of MaxHandshakes
	TLSHandshakes int64  // handshakes in progress

	// Authentications counts the requests for endpoints by what authentication has found out: "ok",
	// "none" (no credentials), "invalid", "expired", "malformed", "oauth_error", "unavailable",
	// "error", "overload", "bound", "certificate" and "untrusted". It is nil without
	// Options.Authenticate.
	Authentications map[string]uint64

	// LoopLag has a value for each loop, in seconds: the longest delay of a tick in the last 15 to
	// 30 s, or the time for which a tick has been waiting by now, if that is longer.
	LoopLag []float64
}

// RequestLabels distinguish requests. Method is one of MCP's methods or "other", never text from
// the wire.
type RequestLabels struct{ Method, Outcome string }

// Stats returns the current metrics. It may be called from any goroutine.
func (s *Server) Stats() Stats {
	held := s.sessions.Stats()
	st := Stats{
		CallsInFlight: s.calls.Load(),
		Requests:      make(map[RequestLabels]uint64),
		Closes:        make(map[string]uint64, numCloseReasons),
		Refusals:      make(map[string]uint64, numRefusalClasses),
		AcceptErrors:  s.admission.Errors(),
		AcceptRefused: s.admission.Refused(),
		TLSErrors:     s.tlsErrors.Load(),
		TLSRefused:    s.tlsRefused.Load(),
		TLSHandshakes: s.secure.Load().handshakes(),
		Refused:       s.outside.Load(),

		SessionsWithState: held.Sessions,
		RevokedSessions:   held.Revoked,
		ReplayBytes:       held.ReplayBytes,
		AnswerBytes:       held.AnswerBytes,
		UnsentBytes:       s.unsent.Load(),
	}
	for class := range refusalClass(numRefusalClasses) {
		st.Refusals[class.String()] = s.refusals.total[class].Load()
	}
	st.Tracked = s.quotas.tracked()
	if s.auth != nil {
		st.Authentications = s.auth.stats()
	}
	if !s.up.Load() {
		return st
	}
	// A sum over the loops could count both a closed connection and its successor.
	st.Connections = s.admission.Connections()
	now := s.clock()
	for _, l := range s.loops {
		m := &l.m
		st.InboxBytes += l.in.bytes.Load()
		st.Streams += m.streams.Load()
		st.SessionStreams += m.sessionStreams.Load()
		st.OtherRequests += m.http.Load()
		st.Refused += m.refused.Load()
		st.BytesIn += m.bytesIn.Load()
		st.BytesOut += m.bytesOut.Load()
		st.Panics += m.panics.Load()
		if s.auth != nil {
			st.Authentications[authOK.String()] += m.authenticated.Load()
		}
		for i := range m.closes {
			st.Closes[closeReason(i).String()] += m.closes[i].Load()
		}
		for method := range m.requests {
			for out := range m.requests[method] {
				if n := m.requests[method][out].Load(); n > 0 {
					st.Requests[RequestLabels{mcp.Method(method).String(), outcome(out).String()}] += n
				}
			}
		}
		lag := m.lagAt(s.tickAt(now))
		if posted := m.tickPosted.Load(); posted != 0 {
			lag = max(lag, now.UnixNano()-posted)
		}
		st.LoopLag = append(st.LoopLag, float64(lag)/1e9)
	}
	return st
}

// count counts a request that has ended.
func (l *loop) count(m mcp.Method, o outcome) {
	l.m.requests[m][o].Add(1)
}

func outcomeOf(code jsonrpc.Code) outcome {
	if code == 0 {
		return outcomeOK
	}
	return outcomeError
}
