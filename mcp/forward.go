package mcp

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A forwarded feature belongs to another server, the upstream. Its calls have no handler: a Backend
// passes them on and gives back what the upstream says. No goroutine waits meanwhile, and what the
// upstream says is not decoded and encoded again: its bytes are part of the response.

// A Backend reaches upstreams.
type Backend interface {
	// Start begins to serve f. It must not block, because it may run on an event loop, or on the
	// goroutine that has ended the round before. One of [Forward.Result], [Forward.Response],
	// [Forward.Error], [Forward.Unavailable] and [Forward.Ask] must follow, from any goroutine, be it
	// before Start returns.
	Start(f *Forward)

	// Cancel says that nobody waits for f any more, and why: its client has cancelled it or has
	// disconnected, it has taken too long, or the server ends. It is called at most once for f, after
	// Start has returned, and must not block. F still has to be ended, which Cancel may do itself; it
	// counts as a call in flight until then. Cancel may be called when f has ended just now. It is
	// also called for an f that ended with [Forward.Ask], if the client is a legacy one and will not
	// answer.
	Cancel(f *Forward, cause error)
}

// A Target is what a call is forwarded to.
type Target struct {
	Owner string // the name of an upstream, as given to [Server.Replace]
	Name  string // the upstream's own name of the tool or prompt, its URI or the text of its template

	// Backend reaches the upstream; nil means the one that was given to [Server.Replace].
	Backend Backend
}

// A Forward is a call on its way to an upstream: one round of it, if the upstream asks the client
// in between. Its methods may be called from any goroutine. When the Forward has ended, they do
// nothing and return zero values, so that a late message of an upstream never reaches another call.
// The bytes that they return alias the client's message and must not be read after the end.
type Forward struct {
	Data any // for the Backend alone

	target  Target
	backend Backend

	mu      sync.Mutex // guards the rest; held in Notify, so that nothing follows the answer
	c       *Call      // nil once f has ended
	w       Sink
	started bool     // Start has returned
	asked   bool     // f has ended with a question, and the client has not answered
	cause   error    // why it was cancelled; nil if it was not
	next    *Forward // the round that followed at once
	done    chan struct{}
}

// Forward starts the call of a CallForward. It does not block. The last thing that the call does,
// on any goroutine, is one call of w.Respond or of [Requester.Request]: afterwards it does not
// touch c, which may be reset. That may be before Forward returns.
//
// A transport that would rather wait calls [Call.Run] instead.
func (c *Call) Forward(w Sink) {
	if c.kind == CallForward {
		c.newForward(w).start()
	}
}

// newForward returns a round of c, which has yet to be started.
func (c *Call) newForward(w Sink) *Forward {
	c.forward = c.round(w)
	return c.forward
}

// round returns a round of c without saying so in c.
func (c *Call) round(w Sink) *Forward {
	f := &Forward{target: c.target, backend: c.target.Backend, c: c, w: w}
	f.target.Backend = nil
	return f
}

// start starts f.
func (f *Forward) start() {
	log := f.c.s.opts.Logger
	returned := false
	defer func() {
		if returned {
			return
		}
		log.Error("mcp: a Backend did not return from Start", "panic", recover(), "stack", string(debug.Stack()))
		f.Error(errInternal)
	}()
	f.backend.Start(f)
	returned = true
	f.mu.Lock()
	f.started = true
	cause := f.cause
	wanted := f.waits()
	f.mu.Unlock()
	if cause != nil && wanted {
		f.cancelBackend(cause)
	}
}

// waits reports whether the upstream, or the backend for it, may still do something for f. It is
// called with f.mu held.
func (f *Forward) waits() bool { return f.c != nil || f.asked }

// CancelForward tells the backend of a call that was started with [Call.Forward] that nobody waits
// for it, because of cause. It does nothing if the call has ended or was cancelled before. It does
// not block and may be called by the transport while it has not got the call back.
func (c *Call) CancelForward(cause error) {
	if c.forward != nil {
		c.forward.cancel(cause)
	}
}

func (f *Forward) cancel(cause error) {
	if cause == nil {
		cause = errCancelled
	}
	f.mu.Lock()
	next, first := f.next, f.cause == nil
	if first {
		f.cause = cause
	}
	ready := first && f.started && f.waits()
	f.mu.Unlock()
	switch {
	case next != nil:
		next.cancel(cause)
	case ready:
		f.cancelBackend(cause)
	}
}

func (f *Forward) cancelBackend(cause error) {
	log := of(f, func(c *Call) *slog.Logger { return c.s.opts.Logger })
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if log != nil {
			log.Error("mcp: a Backend panicked in Cancel", "panic", v, "stack", string(debug.Stack()))
		}
		f.Error(errInternal)
	}()
	f.backend.Cancel(f, cause)
}

// end ends f and returns its call and where its answer goes. It returns nil if f has ended before.
func (f *Forward) end() (*Call, Sink) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, w := f.c, f.w
	f.c, f.w = nil, nil
	return c, w
}

// settled is called when the call has been answered, or waits for its client.
func (f *Forward) settled() {
	if f.done != nil {
		close(f.done)
	}
}

// runForward runs a call and waits until it has ended.
func (c *Call) runForward(ctx context.Context, w Sink) {
	done := make(chan struct{})
	f := c.newForward(w)
	f.done = done
	f.start()
	select {
	case <-done:
	case <-ctx.Done():
		f.cancel(context.Cause(ctx))
		<-done
	}
}

// forwardTo makes c a CallForward to t, or refuses it if nobody serves the owner of t.
func (c *Call) forwardTo(t Target) *jsonrpc.Error {
	if t.Backend == nil {
		o := c.reg.owners.get(t.Owner)
		if o == nil {
			return errNoUpstream
		}
		t.Backend = o.backend
	}
	c.kind, c.inline, c.target = CallForward, false, t
	return nil
}

// Error ends f with an error response of the upstream, or of the backend itself. The code becomes
// the one that the client's revision has in its place. Errors about the hop between the backend and
// the upstream, such as a header field that differs from the body, become internal errors, because
// the client cannot do anything about them.
func (f *Forward) Error(e *jsonrpc.Error) {
	if c, w := f.end(); c != nil {
		c.fail(w, c.upstreamError(e))
		f.settled()
	}
}

// Unavailable ends f because the upstream cannot be reached or is busy. Over HTTP the response has
// the status 503 and says when to try again.
func (f *Forward) Unavailable(message string) {
	if c, w := f.end(); c != nil {
		c.unavailable = true
		c.fail(w, &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: message})
		f.settled()
	}
}

var (
	errNoUpstream = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "Internal error: nobody serves this feature any more"}
	errUpstream   = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "Internal error: the answer of the upstream server is not valid"}
)
