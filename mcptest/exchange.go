package mcptest

import (
	"context"
	"errors"
	"fmt"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

// maxRounds is how often a handler may ask in one request.
const maxRounds = 16

var errRounds = errors.New("mcptest: the handler asks without end")

// A request is what a client sends, and what it adds when it sends the request again.
type request struct {
	method  string
	params  []byte // the members that are not _meta
	answers []byte // inputResponses, nil for none
	state   []byte // requestState, nil for none
}

// send sends q to s as often as its handler asks something that c answers, and returns the text of
// the result. An error response is returned as a *[jsonrpc.Error].
func (q *request) send(ctx context.Context, s *mcp.Server, c *Client) ([]byte, error) {
	var meta mcp.RequestMeta
	if c != nil {
		if c.TokenInfo != nil {
			ctx = auth.ContextWithTokenInfo(ctx, c.TokenInfo)
			meta.TokenInfo, meta.Principal = c.TokenInfo, c.TokenInfo.Principal()
		}
		meta.Header, meta.RemoteAddr = c.Header, c.RemoteAddr
	}
	meta.Context = ctx
	session := mcp.LegacyRevision([]byte(c.version()))
	if session {
		if err := c.join(s, &meta); err != nil {
			return nil, err
		}
	}
	for range maxRounds {
		msg, err := q.append(make([]byte, 0, 512), c, session)
		if err != nil {
			return nil, err
		}
		x := &exchange{ctx: ctx, client: c}
		if err := x.run(s, msg, &meta); err != nil || c == nil || c.Answer == nil {
			return x.result, err
		}
		requests, asking := jsonrpc.Member(x.result, "inputRequests")
		state, stateful := jsonrpc.Member(x.result, "requestState")
		if !asking && !stateful {
			return x.result, nil
		}
		q.answers, q.state = nil, nil
		if asking {
			if q.answers, err = c.appendAnswers(ctx, nil, requests); err != nil {
				return nil, err
			}
		}
		if stateful {
			q.state = state
		}
	}
	return nil, errRounds
}

// append appends the message.
func (q *request) append(dst []byte, c *Client, session bool) ([]byte, error) {
	dst = append(append(dst, `{"jsonrpc":"2.0","id":1,"method":"`...), q.method...)
	dst, err := c.appendMeta(append(dst, `","params":{"_meta":`...), session)
	if err != nil {
		return nil, fmt.Errorf("mcptest: the _meta of a request: %w", err)
	}
	dst = append(append(dst, ','), q.params...)
	if q.answers != nil {
		dst = append(append(dst, `,"inputResponses":`...), q.answers...)
	}
	if q.state != nil {
		dst = append(append(dst, `,"requestState":`...), q.state...)
	}
	return append(dst, `}}`...), nil
}

// join makes meta that of a message in a new session of c.
func (c *Client) join(s *mcp.Server, meta *mcp.RequestMeta) error {
	msg, err := c.appendInitialize(nil)
	if err != nil {
		return fmt.Errorf("mcptest: initialize: %w", err)
	}
	var m jsonrpc.Envelope
	if err := m.Decode(msg); err != nil {
		return fmt.Errorf("mcptest: initialize: %w", err)
	}
	var call mcp.Call
	if e := s.Prepare(&call, &m, &mcp.RequestMeta{}); e != nil {
		return e
	}
	info := *call.NewSession()
	info.LogLevel = c.logLevel()
	meta.Session, meta.SessionID = &info, "mcptest"
	return nil
}

var _ mcp.Asker = (*exchange)(nil)

// An exchange is a request on its way through the server. It is the [mcp.Sink] of its call.
type exchange struct {
	ctx    context.Context
	client *Client
	result []byte
	err    error
	asks   []mcp.Ask
}

// run sends msg and waits for the response.
func (x *exchange) run(s *mcp.Server, msg []byte, meta *mcp.RequestMeta) error {
	var m jsonrpc.Envelope
	if err := m.Decode(msg); err != nil {
		return fmt.Errorf("mcptest: the request is not valid: %w", err)
	}
	var call mcp.Call
	if e := s.Prepare(&call, &m, meta); e != nil {
		return e
	}
	call.Run(x.ctx, x)
	for call.Asking() {
		answers, err := x.answer()
		if err != nil {
			call.Abandon(x, err.Error())
			return err
		}
		call.Resume(x.ctx, x, answers)
	}
	return x.err
}

// Notify implements [mcp.Sink].
func (x *exchange) Notify(msg []byte) bool {
	if x.client != nil {
		x.client.record(msg)
	}
	return true
}

// Respond implements [mcp.Sink].
func (x *exchange) Respond(msg []byte, _ jsonrpc.Code) {
	var m jsonrpc.Envelope
	switch err := m.Decode(append([]byte(nil), msg...)); {
	case err != nil:
		x.err = fmt.Errorf("mcptest: the response is not valid: %w", err)
	case m.Kind == jsonrpc.KindErrorResponse:
		x.err = m.ErrorObject()
	default:
		x.result = m.Result
	}
}

// Request implements [mcp.Requester].
func (x *exchange) Request(asks []mcp.Ask) bool {
	x.asks = x.asks[:0]
	for _, a := range asks {
		a.Params = append([]byte(nil), a.Params...)
		x.asks = append(x.asks, a)
	}
	return true
}

// Ask implements [mcp.Asker], for handlers that wait for the client. The client answers on a
// goroutine of its own, so that a handler may stop waiting.
func (x *exchange) Ask(a *mcp.Ask, reply func(result []byte, err error)) (stop func(), err error) {
	if a.Method == "ping" {
		reply([]byte(`{}`), nil)
		return func() {}, nil
	}
	ask := *a
	ask.Params = append([]byte(nil), a.Params...)
	ctx, cancel := context.WithCancel(x.ctx)
	go func() {
		defer cancel()
		reply(x.client.answer(ctx, ask.Key, ask.Method, ask.Params))
	}()
	return cancel, nil
}

// answer returns the client's answers to x.asks, in the form that Resume takes.
func (x *exchange) answer() ([]byte, error) {
	dst := []byte{'{'}
	for _, a := range x.asks {
		text, err := x.client.answer(x.ctx, a.Key, a.Method, a.Params)
		if err != nil {
			return nil, err
		}
		dst = mcp.AppendAskAnswer(dst, a.Key, &jsonrpc.Envelope{Kind: jsonrpc.KindResult, Result: text})
	}
	return append(dst, '}'), nil
}
