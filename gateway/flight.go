package gateway

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
	"github.com/mooring-mcp/mooring/gateway/internal/upstream"
	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

// A flight is one round of a call on its way to an upstream: the upstream.Handler of what the
// mcp.Backend was given. If the upstream asks the client, the call is parked, and the next flight
// takes it over.
type flight struct {
	m *member // an earlier one of the same slot if that has the parked call
	f *mcp.Forward

	// mu is never held while the upstream is called, which calls back.
	mu       sync.Mutex
	call     *upstream.Call       // nil until it has started, or a parked call is taken over
	asked    []*upstream.Question // for the client, as soon as no more come
	timer    *time.Timer          // runs while there are some
	canceled string               // the reason; "" if it was not
}

const (
	// gather is how long a question waits for more of the same call.
	gather = 20 * time.Millisecond
	// parkedState begins the states of calls that are parked here, as opposed to states of upstreams.
	parkedState = "mooring parked "
)

// Start implements mcp.Backend.
func (m *member) Start(f *mcp.Forward) {
	if m.refuses(f) {
		f.Error(errNobody)
		return
	}
	fl := &flight{m: m, f: f}
	f.Data = fl
	m.flights.Add(1)
	state, has := f.State()
	if token, parked := strings.CutPrefix(state, parkedState); has && parked {
		fl.resume(token)
		return
	}
	var more []byte
	if answers := f.InputResponses(); answers != nil {
		more = append(append(more, `"inputResponses":`...), answers...)
	}
	if has {
		if more != nil {
			more = append(more, ',')
		}
		more = jsonrpc.AppendString(append(more, `"requestState":`...), state)
	}
	c := m.newCall(f, fl)
	c.Append = func(dst, meta []byte) []byte { return f.AppendParams(dst, meta, more) }
	if method := f.Method(); method != mcp.MethodComplete {
		c.Name = f.Target().Name
	}
	c.Fields = m.fields(f)
	m.up.Start(c)
	fl.attach(c)
}

// attach sets the call of fl, which has started, and cancels it if that was wanted before.
func (fl *flight) attach(c *upstream.Call) {
	fl.mu.Lock()
	fl.call = c
	canceled := fl.canceled
	fl.mu.Unlock()
	if canceled != "" {
		c.Cancel(canceled)
	}
}

// newCall returns a call for the client of f, without params.
func (m *member) newCall(f *mcp.Forward, h upstream.Handler) *upstream.Call {
	c := &upstream.Call{
		Method: f.Method().String(), Principal: m.principal(f), SessionKey: f.SessionID(), Legacy: f.Legacy(), Class: classOf(f.Capabilities()),
		Capabilities: bytes.Clone(f.ClientCapabilities()), WantsProgress: f.ProgressToken() != nil,
		Deadline: time.Now().Add(m.g.opts.CallTimeout), Handler: h,
	}
	c.LogLevel, _ = upstream.ParseLevel(string(f.LogLevel()))
	return c
}

// exchanges reports whether the tokens of clients are exchanged for those of the upstream.
func (m *member) exchanges() bool { return m.cfg.Credentials.Grant == tokenExchange }

// refuses reports whether f has no token that could be exchanged. A token that was not verified is
// not exchanged, and no caller gets the gateway's own.
func (m *member) refuses(f *mcp.Forward) bool { return m.exchanges() && f.TokenInfo() == nil }

// principal returns who f is for the upstream. Where tokens are exchanged, one token of a user may
// allow more than another, so they do not share what was got with one.
func (m *member) principal(f *mcp.Forward) string {
	who := f.Principal()
	if !m.exchanges() {
		return who
	}
	info := f.TokenInfo()
	if info == nil {
		return who
	}
	scopes := slices.Sorted(slices.Values(info.Scopes))
	return who + "\x00" + strings.Join(slices.Compact(scopes), " ")
}

// fields returns the header fields of f that go up.
func (m *member) fields(f *mcp.Forward) (out []link.Field) {
	if m.hop == nil {
		return nil
	}
	if t, ok := f.Trace(); ok {
		for _, p := range [...]link.Field{{Name: "traceparent", Value: t.Parent}, {Name: "tracestate", Value: t.State}, {Name: "baggage", Value: t.Baggage}} {
			if p.Value != "" {
				out = append(out, p)
			}
		}
	}
	f.ParamFields(func(name, value string) { out = append(out, link.Field{Name: name, Value: value}) })
	h := f.Header()
	for _, name := range m.cfg.ForwardHeaders {
		for _, v := range h.Values(name) {
			out = append(out, link.Field{Name: name, Value: v})
		}
	}
	if m.exchanges() {
		m.tokens.put(m.principal(f), bearerOf(h))
	}
	return out
}

// Cancel implements mcp.Backend.
func (m *member) Cancel(f *mcp.Forward, cause error) {
	fl, _ := f.Data.(*flight)
	if fl == nil {
		return
	}
	fl.mu.Lock()
	c := fl.call
	fl.canceled = cause.Error()
	fl.mu.Unlock()
	if c != nil {
		c.Cancel(cause.Error())
	}
}

// Progress, Message, Question, Withdrawn and End implement upstream.Handler.
func (fl *flight) Progress(params []byte) { fl.f.Progress(params) }

func (fl *flight) Message(params []byte) { fl.f.Message(params) }

func (fl *flight) Question(q *upstream.Question) {
	ask := mcp.Ask{Key: q.Key, Method: q.Method, Params: q.Params}
	if !fl.f.Answers(&ask) {
		q.Refuse(jsonrpc.CodeMethodNotFound, "Method not found: the client has not declared that it can be asked this")
		return
	}
	fl.mu.Lock()
	defer fl.mu.Unlock()
	fl.asked = append(fl.asked, q)
	if fl.timer == nil {
		fl.timer = time.AfterFunc(gather, fl.ask)
	}
}

func (fl *flight) Withdrawn(q *upstream.Question) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	for i := range fl.asked {
		if fl.asked[i] == q {
			fl.asked = append(fl.asked[:i], fl.asked[i+1:]...)
			return
		}
	}
}

// ask asks the client what has come together. The call waits for the next round.
func (fl *flight) ask() {
	fl.mu.Lock()
	asked, c := fl.asked, fl.call
	if len(asked) > 0 && c == nil {
		fl.timer = time.AfterFunc(gather, fl.ask)
		fl.mu.Unlock()
		return
	}
	fl.asked, fl.timer = nil, nil
	fl.mu.Unlock()
	if len(asked) == 0 {
		return
	}
	token, ok := c.Park(time.Now().Add(fl.m.g.opts.CallTimeout))
	if !ok { // too many, or the upstream has ended the call meanwhile
		for _, q := range asked {
			q.Cancel()
		}
		return
	}
	asks := make([]mcp.Ask, len(asked))
	for i, q := range asked {
		asks[i] = mcp.Ask{Key: q.Key, Method: q.Method, Params: q.Params}
	}
	fl.m.flights.Add(-1)
	if !fl.f.Ask(asks, []byte(parkedState+token)) {
		c.Cancel("the client cannot be asked")
	}
}

// resume takes over the call that was parked, with the answers of the client. It may be at a member
// that has been replaced since.
func (fl *flight) resume(token string) {
	answers := bytes.Clone(fl.f.InputResponses())
	c, questions, ok := fl.unpark(token)
	for _, old := range fl.m.g.leavingOf(fl.m.slot) {
		if ok {
			break
		}
		old.flights.Add(1)
		fl.m.flights.Add(-1)
		fl.m = old
		c, questions, ok = fl.unpark(token)
	}
	if !ok {
		fl.m.flights.Add(-1)
		fl.f.Error(errState)
		return
	}
	fl.attach(c)
	for _, q := range questions {
		switch answer, ok := jsonrpc.Member(answers, q.Key); {
		case !ok: // it came when the client had been asked already
			fl.Question(q)
		case answer[0] == '{':
			q.Answer(answer)
		default: // the client has given none
			q.Cancel()
		}
	}
}

// unpark may run fl.End.
func (fl *flight) unpark(token string) (*upstream.Call, []*upstream.Question, bool) {
	return fl.m.up.Unpark(token, fl.m.principal(fl.f), fl)
}

func (fl *flight) End(e *upstream.End) {
	fl.mu.Lock()
	if fl.timer != nil {
		fl.timer.Stop()
	}
	fl.asked, fl.timer = nil, nil
	fl.mu.Unlock()
	fl.m.flights.Add(-1)
	answer(fl.f, e)
}

// answer ends f as the upstream has ended its call.
func answer(f *mcp.Forward, e *upstream.End) {
	switch {
	case e.Result != nil:
		f.Response(&jsonrpc.Envelope{Kind: jsonrpc.KindResult, Result: e.Result})
	case e.Error != nil:
		f.Response(&jsonrpc.Envelope{Kind: jsonrpc.KindErrorResponse, Error: e.Error})
	default:
		fail(f, e.Err)
	}
}

// fail ends f because there is no answer. Details are for the operator alone.
func fail(f *mcp.Forward, err error) {
	var le *link.Error
	if !errors.As(err, &le) {
		f.Error(&jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "Internal error: the call was given up"})
		return
	}
	switch le.Reason {
	case link.Busy:
		f.Unavailable("Internal error: the upstream server has too much to do; try again later")
	case link.Down, link.Closed:
		f.Unavailable("Internal error: the upstream server is not available; try again later")
	case link.Timeout:
		f.Error(&jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "Internal error: the upstream server did not answer in time"})
	case link.TooLong:
		f.Error(&jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "Internal error: the answer of the upstream server is too long"})
	case link.Malformed:
		f.Error(&jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "Internal error: the answer of the upstream server is not valid"})
	default:
		if le.Unsent {
			f.Unavailable("Internal error: the upstream server cannot be reached; try again later")
			return
		}
		f.Error(&jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "Internal error: the upstream server failed during the call"})
	}
}

var errNobody = &jsonrpc.Error{
	Code:    jsonrpc.CodeInternalError,
	Message: "Internal error: the upstream server needs a user who is authenticated by a token",
}

var errState = &jsonrpc.Error{
	Code:    jsonrpc.CodeInvalidParams,
	Message: "Invalid params: nothing waits for these answers any more; call again without requestState",
}
