package mcp

import (
	"context"
	"runtime/debug"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A CallKind says what is to be done with a prepared message.
type CallKind uint8

const (
	CallNone         CallKind = iota // nothing is prepared
	CallRequest                      // Run answers it
	CallNotification                 // accepted; there is nothing to run and nothing to answer
	CallListen                       // Listen says what to register; the answer comes when the listener ends

	// Of legacy revisions only.
	CallInitialize // NewSession says what to seal into a new id; Run answers
	CallSession    // Op says what to do for the session; then Run answers
	CallAnswer     // a response to the request of the server that ID names; there is nothing to run
)

// A Call is one message on its way through a server. The zero Call is ready for
// [Server.Prepare]; Reset makes it ready again. It belongs to one goroutine at a
// time and may be handed on between Prepare and Run.
type Call struct {
	callState
	own toolExchange // of an inline tool
}

// A callState is what a Call knows of its message.
type callState struct {
	s      *Server
	reg    *registry
	rev    *revision
	kind   CallKind
	method Method
	run    func(*Call, context.Context, Sink) // that of the method
	inline bool

	id        []byte
	principal string
	bound     int // the longest message that the transport sends; 0: without bound
	p         params
	env       requestEnvelope

	// What the method's bind found. Which are set depends on the method.
	page     []byte // the response behind its id
	name     []byte // name, or URI
	tool     *tool
	prompt   *prompt
	resource *resource
	template *resourceTemplate
	listen   *Listen
	state    heldState    // opened from requestState
	asks     []askedInput // what the client was asked before, as far as that is known

	// Of legacy revisions.
	caps      CapabilityBits // what the client declared
	client    string         // what it calls itself
	sessionID string
	op        SessionOp
	opened    *SessionInfo
	cancelled []byte

	answered bool
	asking   bool         // Request was called, Resume will be
	asked    int          // how often
	told     toldProgress // in the rounds before
	buf      []byte
	session  *ServerSession // of the handler that runs; nil for answers without one
}

// maxKeptBuffer is how much room a Call keeps for its next answer.
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
	c.callState = callState{buf: buf[:0]}
}

// Kind returns what is to be done with the prepared message.
func (c *Call) Kind() CallKind { return c.kind }

// Inline reports whether Run does not wait and may run on an event loop.
func (c *Call) Inline() bool { return c.inline }

// Method returns the method of the message; MethodOther when it is unknown or there
// is none. It is valid after a refusal too.
func (c *Call) Method() Method { return c.method }

// ID returns the JSON text of the request's id, nil if it has none. It aliases the
// message.
func (c *Call) ID() []byte { return c.id }

// Listen returns the agreed subscription of a CallListen, otherwise nil. It is the
// caller's to keep.
func (c *Call) Listen() *Listen { return c.listen }

// Status returns the HTTP status for an answer with the code, which is 0 for a
// result, in the revision of the call. It is valid after a refusal, and on the zero
// Call for what was refused before Prepare.
func (c *Call) Status(code jsonrpc.Code) int {
	switch {
	case code == 0:
		return 200
	case c.rev == nil:
		return newest().status(code)
	}
	return c.rev.status(code)
}

// Run answers the request of a CallRequest, CallInitialize or CallSession: it calls w.Respond exactly once, also if
// the handler panics or ends its goroutine. Ctx is the handler's; it may be nil for an
// inline call. For other kinds it does nothing.
func (c *Call) Run(ctx context.Context, w Sink) {
	switch c.kind {
	case CallRequest, CallInitialize, CallSession:
	default:
		return
	}
	if ctx == nil {
		ctx = context.Background()
	}
	done := false
	defer c.settle(w, &done)
	c.run(c, ctx, w)
	done = true
}

// settle answers for a handler that did not come back: it panicked, or it ended its
// goroutine.
func (c *Call) settle(w Sink, done *bool) {
	if *done {
		return // and leave c alone: it may run again already, see Resume
	}
	if c.answered || c.asking {
		return // the panic is the Sink's own
	}
	if v := recover(); v != nil {
		c.s.opts.Logger.Error("mcp: handler panicked", "method", c.method.String(), "panic", v, "stack", string(debug.Stack()))
	} else {
		c.s.opts.Logger.Error("mcp: handler ended its goroutine", "method", c.method.String())
	}
	c.fail(w, errInternal)
}

// respond gives msg to w as the answer.
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

// failEncoding answers for a result that cannot be written: the handler's mistake,
// which the client cannot mend.
func (c *Call) failEncoding(w Sink, err error) {
	c.s.opts.Logger.Error("mcp: result cannot be encoded", "method", c.method.String(), "error", err)
	c.fail(w, errInternal)
}

// head returns what the results of this call begin with.
func (c *Call) head() *resultHead { return &c.s.heads[c.rev.index] }
