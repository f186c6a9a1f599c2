package mcp

import (
	"context"
	"encoding/json"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// Middleware sees requests and results as values. Behind it, a call of an upstream's feature is a
// handler that forwards a call of its own and waits for the end of that, on a worker. What the
// upstream says is decoded and encoded again, so that only the members that this package knows
// arrive.

// forwardTyped passes req on to t, and decodes the result into out. Its params are JSON.
func (s *Server) forwardTyped(ctx context.Context, ss *ServerSession, req Request, m Method, t *Target, out Result) error {
	params, err := marshal(req.GetParams())
	if err != nil {
		return err
	}
	c := &Call{}
	c.s, c.reg, c.rev, c.method, c.inner, c.id = s, ss.reg, newest(), m, true, []byte("0")
	if x := req.GetExtra(); x != nil {
		c.principal, c.header, c.tokenInfo, c.remoteAddr = x.Principal, x.Header, x.TokenInfo, x.RemoteAddr
	}
	c.sessionID, c.caller, c.client = ss.id, ss.caller, ss.client
	c.p.scan(params)
	ss.mu.Lock()
	c.env = ss.env
	ss.mu.Unlock()
	c.env.logRank = ss.logRank
	if c.env.caps, err = marshal(ss.clientCapabilities()); err != nil {
		return err
	}
	if info := ss.clientInfo(); info != nil {
		if c.env.info, err = marshal(info); err != nil {
			return err
		}
	}
	c.name, _ = stringOf(c.p.name)
	if m == MethodReadResource {
		c.name, _ = stringOf(c.p.uri)
	}
	if state, ok := stringOf(c.p.requestState); ok {
		c.state = heldState{string(state), true}
	}
	if e := c.forwardTo(*t); e != nil {
		return e
	}
	w := &typedSink{ctx: ctx, ss: ss}
	c.Run(ctx, w)
	if w.err != nil {
		if m == MethodReadResource && w.err.Code == jsonrpc.CodeInvalidParams && member(w.err.Data, "uri") != nil {
			w.err.Code = CodeResourceNotFound // protocolError writes it as the client's revision does
		}
		return w.err
	}
	if err := json.Unmarshal(w.result, out); err != nil {
		return errUpstream
	}
	return nil
}

// A typedSink takes the messages of a call behind middleware.
type typedSink struct {
	ctx    context.Context
	ss     *ServerSession
	result []byte
	err    *jsonrpc.Error
}

// Notify implements Sink. What the upstream tells the client passes through sending middleware.
func (w *typedSink) Notify(msg []byte) bool {
	var m jsonrpc.Envelope
	if m.Decode(msg) != nil {
		return false
	}
	if string(m.Method) == "notifications/message" {
		p := new(LoggingMessageParams)
		return json.Unmarshal(m.Params, p) == nil && w.ss.Log(w.ctx, p) == nil
	}
	p := new(ProgressNotificationParams)
	return json.Unmarshal(m.Params, p) == nil && w.ss.NotifyProgress(w.ctx, p) == nil
}

// Respond implements Sink.
func (w *typedSink) Respond(msg []byte, _ jsonrpc.Code) {
	var m jsonrpc.Envelope
	if m.Decode(append([]byte(nil), msg...)) != nil {
		w.err = errUpstream
		return
	}
	w.result, w.err = m.Result, m.ErrorObject()
}

func (s *Server) forwardTool(ctx context.Context, t *Target, req *CallToolRequest) (toolOutput, error) {
	res := new(CallToolResult)
	err := s.forwardTyped(ctx, req.Session, req, MethodCallTool, t, res)
	return toolOutput{res: res}, err
}

func (s *Server) forwardPrompt(ctx context.Context, t *Target, req *GetPromptRequest) (*GetPromptResult, error) {
	res := new(GetPromptResult)
	if err := s.forwardTyped(ctx, req.Session, req, MethodGetPrompt, t, res); err != nil {
		return nil, err
	}
	return res, nil
}

func (s *Server) forwardRead(ctx context.Context, t *Target, req *ReadResourceRequest) (*ReadResourceResult, error) {
	res := new(ReadResourceResult)
	if err := s.forwardTyped(ctx, req.Session, req, MethodReadResource, t, res); err != nil {
		return nil, err
	}
	return res, nil
}

func (s *Server) forwardCompletion(ctx context.Context, t *Target, req *CompleteRequest) (*CompleteResult, error) {
	res := new(CompleteResult)
	if err := s.forwardTyped(ctx, req.Session, req, MethodComplete, t, res); err != nil {
		return nil, err
	}
	return res, nil
}
