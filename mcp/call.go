package mcp

import (
	"context"
	"net/http"
	"net/netip"
	"runtime/debug"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A CallKind says what is to be done with a prepared message.
type CallKind uint8

const (
	CallNone    CallKind = iota // nothing is prepared
	CallRequest                 // Run answers it
	// It is accepted and has no response. Unless Inline, middleware or the host's handlers see it: Run
	CallNotification
	// RequestMeta.NoWait was set, but Visible may wait: Reset the call and Prepare again where it may
	CallUnprepared
	// Listen says what to register; the listener ends with the response. Unless Inline, Run first
	CallListen
	// An upstream answers it: Forward, which does not block, or Run, which waits
	CallForward

	// The rest occur in legacy revisions only.
	// NewSession says what to seal into a new session ID; Run answers. Unless Inline, Run says it to
	// the Operator
	CallInitialize
	// Op says what to do for the session; then Run answers. Unless Inline, Run says it to the
	// Operator
	CallSession
	CallAnswer // it answers the server's request whose id ID returns; there is nothing to run
)

// A Call is one message on its way through a server. The zero Call is ready for [Server.Prepare],
// and Reset makes a used one ready again. A Call belongs to one goroutine at a time and may be
// handed on between Prepare and Run.
type Call struct {
	callState
	own toolExchange // for calls of inline tools
}

// A callState is what a Call knows about its message.
type callState struct {
	s       *Server
	reg     *registry
	rev     *revision
	kind    CallKind
	method  Method
	run     func(*Call, context.Context, Sink) // answers requests of the method
	inline  bool
	chained bool // middleware sees the message

	id         []byte
	principal  string
	endpoint   string
	header     http.Header // this and the next two are RequestMeta's
	tokenInfo  *auth.TokenInfo
	remoteAddr netip.AddrPort
	caller     *Caller // nil if everything is visible
	bound      int     // length of the longest message that the transport sends; 0 for no limit
	p          params
	env        requestEnvelope

	// The method's bind sets these; which ones depends on the method.
	page     []byte // the response after its id
	name     []byte // name, or URI
	tool     *tool
	custom   *customMethod
	prompt   *prompt
	resource *resource
	template *resourceTemplate
	listen   *Listen
	target   Target       // of a CallForward
	state    heldState    // opened from requestState
	asks     []askedInput // what the client has been asked, as far as that is known

	// Legacy revisions only.
	caps      CapabilityBits // what the client declared
	client    clientOf       // its name and version
	sessionID string
	op        SessionOp
	opened    *SessionInfo
	cancelled []byte

	forward     *Forward // the round of a CallForward that is under way, or the last one
	blocking    bool     // Run waits for the end of a CallForward
	inner       bool     // it is a CallForward behind middleware, which seals what it asks itself
	unavailable bool     // an upstream cannot be reached

	answered bool
	asking   bool         // Request was called, and Resume will be
	asked    int          // how often the client was asked
	told     toldProgress // the progress reported in earlier rounds
	buf      []byte
	session  *ServerSession // of the handler that runs; nil if there is none
	peer     *peer          // the client of a connection; nil over HTTP
}

// maxKeptBuffer is the capacity of the largest buffer that a Call keeps for its next message.
const maxKeptBuffer = 64 << 10

// Reset makes c forget its message. It keeps a buffer of at most 64 KiB.
func (c *Call) Reset() {
	buf := c.buf
	if cap(buf) > maxKeptBuffer {
		buf = nil
	}
	if c.session == &c.own.sess {
		c.own = toolExchange{}
	}
	if c.caller != nil {
		c.caller.sess.close() // the envelope aliases the message
	}
	c.callState = callState{buf: buf[:0]}
}

// Kind returns what is to be done with the prepared message.
func (c *Call) Kind() CallKind { return c.kind }

// Inline reports whether Run never waits and so may run on an event loop. For a CallNotification
// and a CallListen, which have no response, it reports that there is nothing to run.
func (c *Call) Inline() bool { return c.inline }

// methodName returns the method as the client wrote it.
func (c *Call) methodName() string {
	if c.custom != nil {
		return c.custom.name
	}
	return c.method.String()
}

// Method returns the method of the message, or MethodOther if it is unknown or the message has
// none. The result is valid after a refusal too.
func (c *Call) Method() Method { return c.method }

// ID returns the JSON text of the request's id, or nil if it has none. The text aliases the
// message.
func (c *Call) ID() []byte { return c.id }

// Listen returns the subscription that a CallListen has agreed on, and nil for other kinds. The
// caller may keep it.
func (c *Call) Listen() *Listen { return c.listen }

// Status returns the HTTP status of a response with the code, which is 0 for a result, in the
// revision of the call. The result is valid after a refusal too. Status may be called on the zero
// Call, for messages that are refused before Prepare.
func (c *Call) Status(code jsonrpc.Code) int {
	switch {
	case code == 0:
		return 200
	case c.unavailable:
		return 503
	case c.rev == nil:
		return newest().status(code)
	}
	return c.rev.status(code)
}

// Run answers the request of a CallRequest, CallForward, CallInitialize or CallSession. It ends
// with one call of w.Respond, even if the handler panics or ends its goroutine, or with one of
// [PageSink.RespondPage] or [Requester.Request] if w has them. For a CallNotification or CallListen
// that is not Inline it ends with [Operator.Accept] or, if the CallListen is refused, with Respond.
// For all others it does nothing. Ctx is the handler's context; it may be nil for an inline call.
func (c *Call) Run(ctx context.Context, w Sink) {
	switch c.kind {
	case CallRequest, CallForward, CallInitialize, CallSession:
	case CallNotification, CallListen:
		if c.inline {
			return
		}
	default:
		return
	}
	if ctx == nil {
		ctx = context.Background()
	}
	if c.kind == CallForward {
		c.blocking = true
		c.runForward(ctx, w)
		return
	}
	done := false
	defer c.settle(w, &done)
	c.run(c, ctx, w)
	done = true
}

// settle answers for a handler that did not return because it panicked or ended its goroutine.
func (c *Call) settle(w Sink, done *bool) {
	if *done {
		return // c is not touched: it may already run again, see Resume
	}
	if c.answered || c.asking {
		return // the panic is the Sink's own
	}
	if v := recover(); v != nil {
		c.s.opts.Logger.Error("mcp: handler panicked", "method", c.method.String(), "panic", v, "stack", string(debug.Stack()))
	} else {
		c.s.opts.Logger.Error("mcp: handler ended its goroutine", "method", c.method.String())
	}
	if c.kind == CallNotification {
		c.accept(w)
		return
	}
	c.fail(w, errInternal)
}

// accept ends a call that has no response.
func (c *Call) accept(w Sink) {
	if c.session != nil {
		c.session.close()
	}
	c.answered = true
	if op, ok := w.(Operator); ok {
		op.Accept()
	}
}

// respond gives msg to w as the response.
func (c *Call) respond(w Sink, msg []byte, code jsonrpc.Code) {
	if c.session != nil {
		c.session.close()
	}
	c.answered = true
	c.buf = msg[:0]
	w.Respond(msg, code)
}

// fail answers with e.
func (c *Call) fail(w Sink, e *jsonrpc.Error) {
	c.respond(w, jsonrpc.AppendError(c.buf[:0], c.id, e), e.Code)
}

// failEncoding answers in place of a result that cannot be written. That is the handler's mistake,
// and the client can do nothing about it.
func (c *Call) failEncoding(w Sink, err error) {
	c.s.opts.Logger.Error("mcp: result cannot be encoded", "method", c.method.String(), "error", err)
	c.fail(w, errInternal)
}

// head returns the beginning of the results of this call.
func (c *Call) head() *resultHead { return &c.s.identity.Load().heads[c.rev.index] }
