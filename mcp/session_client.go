package mcp

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// An Asker is a [Sink] of a call that can ask the client while the handler waits.
type Asker interface {
	Sink

	// Ask sends a as a request and returns at once. It may be called from any goroutine until
	// Respond, but not concurrently. Later reply is called with the answer, the JSON of the result,
	// or with the reason why none will come, which is a *jsonrpc.Error for an error response. Reply
	// may be called on any goroutine and more than once, and does not block. Stop takes the request
	// back. It may be called from any goroutine, also after Respond.
	Ask(a *Ask, reply func(result []byte, err error)) (stop func(), err error)
}

// InitializeParams returns what the client has said of itself: the params of the session's
// initialize or, at 2026-07-28, what it says with this request. It returns nil if it has said
// nothing yet. Of a session over HTTP it has what the ID of the session holds: the revision, the
// capabilities that servers act on, and the client's name and version, shortened if they are long.
func (ss *ServerSession) InitializeParams() *InitializeParams {
	if ss = ss.some(); ss.peer != nil && !ss.modern() {
		return ss.peer.initializeParams()
	}
	if ss.rev == nil {
		return nil
	}
	return &InitializeParams{ProtocolVersion: ss.rev.name, Capabilities: ss.clientCapabilities(), ClientInfo: ss.clientInfo()}
}

// modern reports whether ss is that of a modern request.
func (ss *ServerSession) modern() bool { return ss.rev != nil && ss.rev.requestMeta }

// initializeParams returns the params of the session's initialize, or nil before it.
func (p *peer) initializeParams() *InitializeParams {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.opened == nil && p.info != nil {
		params := new(InitializeParams)
		if p.params == nil || decodeExact(p.params, params) != nil {
			params = &InitializeParams{ProtocolVersion: p.info.Revision, Capabilities: p.info.Capabilities.clientCapabilities()}
			params.ClientInfo = &Implementation{Name: p.info.ClientName, Version: p.info.ClientVersion}
		}
		p.opened, p.params = params, nil
	}
	return p.opened
}

// Elicit asks the user of the client, and waits for the answer. The content of an accepted form
// conforms to it.
//
// Elicit works in sessions of revisions before 2026-07-28. Since then servers do not send requests:
// Elicit returns an error, and a handler returns its questions instead (see
// [CallToolResult.InputRequests]), which works in all revisions and holds no goroutine meanwhile.
// The same is true of the other methods that ask. In a handler of an inline tool they return an
// error.
func (ss *ServerSession) Elicit(ctx context.Context, params *ElicitParams) (*ElicitResult, error) {
	if params == nil {
		return nil, errors.New("mcp: ElicitParams are nil")
	}
	if h := ss.sending(); h != nil {
		return askThrough[*ElicitResult](ctx, ss, h, askElicitation, params)
	}
	return ask[*ElicitResult](ctx, ss, params)
}

// CreateMessage asks the client's model for a message of one block; another is an error. See
// [ServerSession.Elicit].
func (ss *ServerSession) CreateMessage(ctx context.Context, params *CreateMessageParams) (*CreateMessageResult, error) {
	if params == nil {
		params = new(CreateMessageParams)
	}
	if h := ss.sending(); h != nil {
		return askThrough[*CreateMessageResult](ctx, ss, h, askSampling, params)
	}
	return ss.createMessage(ctx, params)
}

func (ss *ServerSession) createMessage(ctx context.Context, params *CreateMessageParams) (*CreateMessageResult, error) {
	r, err := ask[*CreateMessageWithToolsResult](ctx, ss, params)
	if err != nil {
		return nil, err
	}
	if len(r.Content) != 1 {
		return nil, fmt.Errorf("mcp: the message has %d blocks; CreateMessageWithTools returns such messages", len(r.Content))
	}
	return &CreateMessageResult{Meta: r.Meta, Content: r.Content[0], Model: r.Model, Role: r.Role, StopReason: r.StopReason}, nil
}

// CreateMessageWithTools asks the client's model for a message, which may use tools. See
// [ServerSession.Elicit].
func (ss *ServerSession) CreateMessageWithTools(ctx context.Context, params *CreateMessageWithToolsParams) (*CreateMessageWithToolsResult, error) {
	if params == nil {
		params = new(CreateMessageWithToolsParams)
	}
	if h := ss.sending(); h != nil {
		return askThrough[*CreateMessageWithToolsResult](ctx, ss, h, askSampling, params)
	}
	return ask[*CreateMessageWithToolsResult](ctx, ss, params)
}

// ListRoots asks the client for its roots. See [ServerSession.Elicit].
func (ss *ServerSession) ListRoots(ctx context.Context, params *ListRootsParams) (*ListRootsResult, error) {
	if params == nil {
		params = new(ListRootsParams)
	}
	if h := ss.sending(); h != nil {
		return askThrough[*ListRootsResult](ctx, ss, h, askRoots, params)
	}
	return ask[*ListRootsResult](ctx, ss, params)
}

// Ping asks the client whether it is there. See [ServerSession.Elicit].
func (ss *ServerSession) Ping(ctx context.Context, params *PingParams) error {
	if h := ss.sending(); h != nil {
		if params == nil {
			params = new(PingParams)
		}
		_, err := askThrough[Result](ctx, ss, h, MethodPing.String(), params)
		return err
	}
	return ss.ping(ctx, params)
}

func (ss *ServerSession) ping(ctx context.Context, params *PingParams) error {
	var text []byte
	if params != nil && len(params.Meta) > 0 {
		var err error
		if text, err = marshal(params); err != nil {
			return err
		}
	}
	_, err := ss.request(ctx, &Ask{Method: MethodPing.String(), Params: text})
	return err
}

// ask asks what request asks and returns the answer.
func ask[R InputResponse](ctx context.Context, ss *ServerSession, request InputRequest) (R, error) {
	var none R
	rev, err := ss.askable(request.askMethod())
	if err != nil {
		return none, err
	}
	if need := undeclared(ss.declaredBits(), rev, InputRequestMap{"": request}); need != nil {
		return none, missing(need)
	}
	asks, asked, err := rev.wire.questions(InputRequestMap{"": request})
	if err != nil {
		return none, err
	}
	answer, err := ss.request(ctx, &asks[0])
	if err != nil {
		return none, err
	}
	if !asked[0].isAnswer(answer) {
		return none, &askError{asks[0].Method, errNotResult}
	}
	r, err := asked[0].decode(answer)
	if err != nil {
		return none, &askError{asks[0].Method, err}
	}
	return r.(R), nil
}

// missing returns the error for a client that lacks the capabilities in need.
func missing(need *ClientCapabilities) error {
	switch e := need.Elicitation; {
	case e != nil && e.URL != nil:
		return errors.New(`mcp: the client does not support "url" elicitation`)
	case e != nil:
		return errors.New(`mcp: the client does not support "form" elicitation`)
	case need.Sampling != nil && need.Sampling.Tools != nil:
		return errors.New("mcp: the client does not support tools in sampling")
	case need.Sampling != nil && need.Sampling.Context != nil:
		return errors.New("mcp: the client does not support context in sampling")
	case need.Sampling != nil:
		return errors.New("mcp: the client does not support sampling")
	}
	return errors.New("mcp: the client does not support roots")
}

// revision returns the revision of the request, or of the connection's session. It is nil if there
// is none yet.
func (ss *ServerSession) revision() *revision {
	if p := ss.peer; ss.rev == nil && p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.rev
	}
	return ss.rev
}

// askable returns the revision of the session, or why its client cannot be asked by the method.
func (ss *ServerSession) askable(method string) (*revision, error) {
	rev := ss.some().revision()
	switch {
	case rev == nil:
		return nil, &askError{method, errNoAsking}
	case rev.requestMeta:
		return nil, fmt.Errorf("%q cannot be sent while serving a request on protocol version %s: "+
			"return an InputRequests map instead (multi round-trip requests, SEP-2322)", method, rev.name)
	}
	return rev, nil
}

// declaredBits returns what the client declared in its session.
func (ss *ServerSession) declaredBits() CapabilityBits {
	p := ss.peer
	if p == nil || ss.rev != nil {
		return ss.bits
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.info == nil {
		return 0 // the session was taken back meanwhile
	}
	return p.info.Capabilities & p.rev.asks
}

// request sends a request to the client and waits for the answer.
func (ss *ServerSession) request(ctx context.Context, a *Ask) ([]byte, error) {
	if _, err := ss.askable(a.Method); err != nil {
		return nil, err
	}
	if ss.inline {
		return nil, &askError{a.Method, errInlineAsk}
	}
	if ss.peer != nil {
		return ss.peer.request(ctx, a.Method, a.Params)
	}
	answers := make(chan reply, 1)
	stop, err := ss.askSink(a, func(result []byte, err error) {
		select {
		case answers <- reply{result, err}:
		default: // there is one already
		}
	})
	if err != nil {
		return nil, &askError{a.Method, err}
	}
	select {
	case r := <-answers:
		if r.err != nil {
			return nil, &askError{a.Method, r.err}
		}
		return r.result, nil
	case <-ctx.Done():
		stop()
		return nil, ctx.Err()
	}
}

// askSink asks on the stream of the request.
func (ss *ServerSession) askSink(a *Ask, reply func([]byte, error)) (stop func(), err error) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	w, ok := ss.sink.(Asker)
	if !ok {
		return nil, errNoAsker
	}
	return w.Ask(a, reply)
}

var (
	errInlineAsk = errors.New("mcp: an inline tool must not wait for the client")
	errNotResult = errors.New("mcp: the client's answer is not a result of the method")
	errNoAsker   = errors.New("mcp: the client cannot be asked here")
)

// NotifyElicitationComplete tells the client that the elicitation by URL with p.ElicitationID is
// over. Only 2025-11-25 has that; in other revisions it does nothing.
func (ss *ServerSession) NotifyElicitationComplete(ctx context.Context, p *ElicitationCompleteParams) error {
	if p == nil || p.ElicitationID == "" {
		return errors.New("mcp: an ElicitationCompleteParams needs an ElicitationID")
	}
	if h := ss.sending(); h != nil {
		return notifyThrough(ctx, ss, h, notifyElicitation, p)
	}
	return ss.sendElicitationComplete(p)
}

const notifyElicitation = "notifications/elicitation/complete"

// sendElicitationComplete sends p, which has passed through middleware.
func (ss *ServerSession) sendElicitationComplete(p *ElicitationCompleteParams) error {
	rev, err := ss.askable(notifyElicitation)
	if err != nil || !rev.wire.elicitID {
		return nil
	}
	params, err := marshal(p)
	if err != nil {
		return err
	}
	return ss.notify(jsonrpc.AppendNotification(nil, notifyElicitation, params))
}

// notify sends msg with the messages of the request, or on the connection if it is answered.
func (ss *ServerSession) notify(msg []byte) error {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	switch {
	case ss.sink != nil:
		if !ss.sink.Notify(msg) {
			return ErrNotDelivered
		}
	case ss.peer != nil && !ss.modern():
		return ss.peer.notify(msg)
	}
	return nil
}

// notify sends a notification to the session of an earlier revision.
func (p *peer) notify(msg []byte) error {
	p.mu.Lock()
	err := ErrNotDelivered
	if p.ended {
		err = ErrConnectionClosed
	} else if p.out.room(len(msg)) {
		p.out.put(msg)
		err = nil
	}
	p.mu.Unlock()
	p.out.flush()
	return err
}

// progress sends progress outside of a request, with the token of p.
func (p *peer) progress(n *ProgressNotificationParams) error {
	if n.ProgressToken == nil || !finite(n.Progress) {
		return nil
	}
	p.mu.Lock()
	rev := p.rev
	p.mu.Unlock()
	if rev == nil {
		return nil
	}
	own := *n
	if !rev.wire.progressMessage {
		own.Message = ""
	}
	if !finite(own.Total) {
		own.Total = 0
	}
	params, err := marshal(&own)
	if err != nil {
		return err
	}
	return p.notify(jsonrpc.AppendNotification(nil, MethodNotifyProgress.String(), params))
}

// logs reports whether the session wants log messages of the level.
func (p *peer) logs(level LoggingLevel) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	rank := LevelInfo.rank()
	if r := p.level.rank(); r != 0 {
		rank = r
	}
	return p.info != nil && offersLogging(p.s, p.s.reg.Load()) && level.rank() >= rank
}

// log sends a log message outside of a request.
func (p *peer) log(l *LoggingMessageParams) error {
	if !p.logs(l.Level) {
		return nil
	}
	params, err := marshal(l)
	if err != nil {
		return err
	}
	if bytes.HasPrefix(params, []byte("null")) {
		return nil
	}
	return p.notify(jsonrpc.AppendNotification(nil, "notifications/message", params))
}
