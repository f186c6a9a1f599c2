package upstream

import (
	"errors"
	"slices"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A Handler gets what becomes of a call. Its methods are called one at a time, in the order of
// the messages, and must not block. They may be called before Start has returned. What they are
// given is valid until they return, except for a Question.
type Handler interface {
	// Progress gets params of notifications/progress: see ProgressToken.
	Progress(params []byte)
	// Message gets params of notifications/message, of a level that the call wants.
	Message(params []byte)
	// Question gets a request of a legacy upstream. It must be answered once, at any time before
	// End.
	Question(q *Question)
	// Withdrawn says that the upstream no longer wants an answer.
	Withdrawn(q *Question)
	// End is called once, last.
	End(e *End)
}

// An End is how a call has ended: exactly one of Result, Error and Err is set.
type End struct {
	Result []byte // an object
	Error  []byte // an error object of JSON-RPC
	Err    error  // ErrCanceled, ErrMalformed, or a *link.Error
	// Version is the revision of the upstream that Result or Error follow.
	Version string
}

// InputRequired reports whether the upstream, which is modern, asks for input before it can
// answer. Requests and state are the values of inputRequests and requestState, or nil.
func (e *End) InputRequired() (requests, state []byte, ok bool) {
	if e.Version != modernVersion || e.Result == nil {
		return nil, nil, false
	}
	for name, value := range jsonrpc.Members(e.Result) {
		switch {
		case jsonrpc.EqualString(name, "resultType"):
			ok = jsonrpc.EqualString(value, "input_required")
		case jsonrpc.EqualString(name, "inputRequests"):
			requests = value
		case jsonrpc.EqualString(name, "requestState"):
			state = value
		}
	}
	if !ok {
		return nil, nil, false
	}
	return requests, state, true
}

// ErrCanceled is the end of a call after Cancel.
var ErrCanceled = errors.New("upstream: the call was cancelled")

// ErrMalformed is the end of a call whose response is not MCP.
var ErrMalformed = &link.Error{Reason: link.Malformed}

// A Call is one request for the upstream. Start takes ownership of it, and nobody may change it
// until End. It is used once.
type Call struct {
	Method string
	// Params are the params of the front, valid JSON, or nil. Its _meta is passed on without what
	// belongs to a hop.
	Params []byte
	// Append, if it is not nil, appends the params instead: an object with the members of meta,
	// JSON without braces, in its _meta. It is called once for each time that the call is sent,
	// from any goroutine.
	Append func(dst, meta []byte) []byte
	// Name is the tool, prompt or URI that Mcp-Name repeats, as the upstream knows it.
	Name string
	// Replace is the member of Params whose value becomes Name, or "".
	Replace string
	// Fields are more header fields.
	Fields []link.Field

	Principal string
	// SessionKey names the session of the front, or is "" if it has none.
	SessionKey string
	// Legacy is true if the front is: an upstream of both eras is spoken to in the front's, if it
	// may ask the front something. The two eras ask in different ways.
	Legacy bool
	// Class is what the front can be asked.
	Class Class
	// Capabilities is the ClientCapabilities object of the front, for a modern upstream. The
	// default is made of Class.
	Capabilities []byte
	// WantsProgress is whether the upstream is asked for progress.
	WantsProgress bool
	// ProgressToken is the token of the front, as JSON, with which Progress gets its params,
	// whatever WantsProgress is. If it is nil, they have that of the hop.
	ProgressToken []byte
	LogLevel      Level
	// Deadline is when the call fails with link.Timeout. The zero time means never.
	Deadline time.Time
	Handler  Handler

	// The rest is guarded by the lock of srv.
	srv       *Server
	handler   Handler // nil while parked
	busy      bool    // an event is with the handler
	held      []event // events that wait for it
	state     callState
	sent      bool // the link has the request
	resent    bool // it was given to a second link
	begun     bool // the upstream has said something about it
	conn      *conn
	session   *session // where it waits or runs
	id        int64
	questions []*Question // without an answer
	asked     int         // number of questions so far
	park      *parked     // nil unless parked
	end       End         // how it has ended
}

// A callState says where a call is.
type callState uint8

const (
	callNew     callState = iota
	callQueued            // waits for a session, or for the era to be known
	callWaiting           // waits for its session to be ready
	callFlying            // has an id on a conn
	callEnded             // End is delivered, or on its way
)

// Start sends a call to the upstream as soon as it can. It does not block.
func (s *Server) Start(c *Call) {
	s.mu.Lock()
	c.srv, c.handler = s, c.Handler
	s.counts.Calls++
	s.calls++
	s.place(c)
	s.unlock()
}

// Cancel gives up the call: it ends with ErrCanceled, unless it has ended. Reason is for the
// upstream. It may be called from any goroutine, but not before Start.
func (c *Call) Cancel(reason string) {
	s := c.srv
	s.mu.Lock()
	if c.state != callEnded {
		s.parks.remove(c)
		s.refuseQuestions(c)
		s.abandon(c, reason)
		s.finish(c, End{Err: ErrCanceled})
	}
	s.unlock()
}

// abandon gives up what the upstream or a queue has of c.
func (s *Server) abandon(c *Call, reason string) {
	switch c.state {
	case callQueued:
		s.queue = without(s.queue, c)
		s.waiting--
	case callWaiting:
		c.session.waiting = without(c.session.waiting, c)
		s.waiting--
	case callFlying:
		c.conn.abandon(c, reason)
	}
}

func without(calls []*Call, c *Call) []*Call {
	if i := slices.Index(calls, c); i >= 0 {
		return slices.Delete(calls, i, i+1)
	}
	return calls
}

// finish ends a call that nothing holds any more.
func (s *Server) finish(c *Call, e End) {
	if c.state == callEnded {
		return
	}
	s.dropQuestions(c)
	was := c.session
	c.state, c.conn, c.session = callEnded, nil, nil
	s.calls--
	if e.Err != nil && e.Err != ErrCanceled {
		s.counts.Failed++
	}
	c.end = e
	s.deliver(c, event{kind: eventEnd})
	if was != nil {
		s.pump(was)
	}
}

// launch writes the request of c and gives it to the link. It runs without the lock, because
// params may be large.
func (s *Server) launch(c *Call, k *conn, id int64) {
	st := stamp{
		modern: k.modern, clientInfo: s.opts.ClientInfo, level: c.LogLevel,
		progress: c.progress(), replace: c.Replace, name: c.Name,
	}
	if k.modern {
		if st.capabilities = c.Capabilities; st.capabilities == nil {
			st.capabilities = c.Class.appendCapabilities(nil)
		}
	}
	m := &link.Message{
		Kind: link.Request, ID: id, Method: c.Method, Name: c.Name, Fields: c.Fields, Deadline: c.Deadline,
	}
	if c.Append == nil {
		m.Body = appendRequest(make([]byte, 0, len(c.Params)+len(c.Name)+320), id, c.Method, c.Params, &st)
	} else {
		m.Body = append(appendHead(make([]byte, 0, 512), id, c.Method), `,"params":`...)
		m.Body = append(c.Append(m.Body, appendHop(nil, 0, id, &st)), '}')
		replaceLineEnds(m.Body)
	}
	s.mu.Lock()
	if k.pending[id].call == c && c.state == callFlying {
		c.sent = true
		k.link.Send(m)
	}
	s.unlock()
}

// progress reports whether c asks for progress.
func (c *Call) progress() bool { return c.WantsProgress || c.ProgressToken != nil }

// respond handles the response to a call that was taken out of pending.
func (k *conn) respond(c *Call, env *jsonrpc.Envelope) {
	s := k.srv
	if env.Kind == jsonrpc.KindErrorResponse {
		if k.modern && errorCode(env.Error) == codeUnsupportedVersion && c.mayResend() {
			s.forgetEra("the upstream no longer supports " + modernVersion)
			s.resend(c)
			return
		}
		s.finish(c, End{Error: oneLine(env.Error), Version: k.version})
		return
	}
	if env.Result[0] != '{' {
		s.counts.Malformed++
		s.finish(c, End{Err: ErrMalformed})
		return
	}
	s.finish(c, End{Result: oneLine(env.Result), Version: k.version})
}

// mayResend reports whether c may be sent again, if the upstream says that it has not run it.
func (c *Call) mayResend() bool { return !c.resent && !c.begun && !c.srv.closed && c.park == nil }

// resend places c a second time: the upstream has not run it.
func (s *Server) resend(c *Call) {
	was := c.session
	c.resent, c.sent, c.conn, c.session, c.state = true, false, nil, nil, callNew
	s.counts.Resent++
	s.place(c)
	if was != nil {
		s.pump(was)
	}
}

// oneLine returns text, valid JSON, without line ends. It is a copy only if there are any.
func oneLine(text []byte) []byte {
	if !hasLineEnds(text) {
		return text
	}
	return appendOneLine(nil, text)
}

const codeUnsupportedVersion = -32022

// errorCode returns the code of an error object.
func errorCode(e []byte) int64 {
	raw, _ := jsonrpc.Member(e, "code")
	code, _ := jsonrpc.IntValue(raw)
	return code
}
