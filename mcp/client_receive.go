package mcp

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// takeQuestion answers a request of the server on a goroutine of its own.
func (cs *ClientSession) takeQuestion(m *jsonrpc.Request) {
	select {
	case cs.asked <- struct{}{}:
	default:
		cs.respond(m.ID, nil, &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "Internal error: too many requests at a time"})
		return
	}
	go func() {
		defer func() { <-cs.asked }()
		res, err := cs.answerQuestion(m)
		cs.respond(m.ID, res, err)
	}()
}

func (cs *ClientSession) answerQuestion(m *jsonrpc.Request) (res Result, err error) {
	var req Request
	switch m.Method {
	case MethodPing.String():
		req, err = clientRequest[PingParams](cs, m.Params)
	case askElicitation:
		req, err = clientRequest[ElicitParams](cs, m.Params)
	case askRoots:
		req, err = clientRequest[ListRootsParams](cs, m.Params)
	case askSampling:
		req, err = clientRequest[CreateMessageWithToolsParams](cs, m.Params)
	default:
		return nil, errNoMethod
	}
	if err != nil {
		return nil, invalidParams(err.Error())
	}
	return cs.receive(cs.ctx, m.Method, req)
}

// clientRequest decodes params.
func clientRequest[T any, P paramsOf[T]](cs *ClientSession, params []byte) (Request, error) {
	p := P(new(T))
	if len(params) > 0 {
		if err := decodeExact(params, (*T)(p)); err != nil {
			return nil, err
		}
	}
	if hasNull(p) {
		return nil, errNullEntry
	}
	return &ClientRequest[P]{Session: cs, Params: p}, nil
}

// respond answers a request of the server.
func (cs *ClientSession) respond(id jsonrpc.ID, res Result, err error) {
	m := &jsonrpc.Response{ID: id}
	if err == nil {
		m.Result, err = marshal(res)
	}
	if err != nil {
		m.Result, m.Error = nil, protocolError(err, newestSession())
	}
	// If the connection has ended, nobody waits for the answer.
	_ = cs.conn.Write(cs.ctx, m)
}

// receive sends req through the receiving middleware to its handler.
func (cs *ClientSession) receive(ctx context.Context, method string, req Request) (Result, error) {
	c := cs.client
	c.mu.Lock()
	receiving := c.receiving
	c.mu.Unlock()
	return chain(receiving, c.handle)(ctx, method, req)
}

// handle is the innermost MethodHandler for what is received.
func (c *Client) handle(ctx context.Context, method string, req Request) (Result, error) {
	o := &c.opts
	switch req := req.(type) {
	case *ClientRequest[*PingParams]:
		return &ResultBase{}, nil
	case *ElicitRequest:
		if o.ElicitationHandler != nil {
			return given(o.ElicitationHandler(ctx, req))
		}
	case *ListRootsRequest:
		if c.capabilities().RootsV2 != nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			return &ListRootsResult{Roots: append([]*Root{}, c.roots...)}, nil
		}
	case *CreateMessageRequest:
		if o.CreateMessageHandler != nil {
			return given(o.CreateMessageHandler(ctx, req))
		}
	case *CreateMessageWithToolsRequest:
		switch {
		case o.CreateMessageWithToolsHandler != nil:
			return given(o.CreateMessageWithToolsHandler(ctx, req))
		case o.CreateMessageHandler != nil:
			p, err := withoutTools(req.Params)
			if err != nil {
				return nil, err
			}
			return given(o.CreateMessageHandler(ctx, &CreateMessageRequest{Session: req.Session, Params: p}))
		}
	case *ToolListChangedRequest:
		notified(ctx, o.ToolListChangedHandler, req)
		return nil, nil
	case *PromptListChangedRequest:
		notified(ctx, o.PromptListChangedHandler, req)
		return nil, nil
	case *ResourceListChangedRequest:
		notified(ctx, o.ResourceListChangedHandler, req)
		return nil, nil
	case *ResourceUpdatedNotificationRequest:
		notified(ctx, o.ResourceUpdatedHandler, req)
		return nil, nil
	case *LoggingMessageRequest:
		notified(ctx, o.LoggingMessageHandler, req)
		return nil, nil
	case *ProgressNotificationClientRequest:
		notified(ctx, o.ProgressNotificationHandler, req)
		return nil, nil
	case *ElicitationCompleteNotificationRequest:
		notified(ctx, o.ElicitationCompleteHandler, req)
		return nil, nil
	}
	return nil, &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound, Message: fmt.Sprintf("the client does not support %s", method)}
}

// given returns what a handler returned, without a nil pointer in a Result.
func given[T any, R interface {
	*T
	Result
}](res R, err error) (Result, error) {
	if err != nil {
		return nil, err
	}
	if res == nil {
		return nil, fmt.Errorf("mcp: the handler returned neither a result nor an error")
	}
	return res, nil
}

func notified[R any](ctx context.Context, h func(context.Context, R), req R) {
	if h != nil {
		h(ctx, req)
	}
}

// withoutTools returns p for a handler that knows no tools and messages of one block.
func withoutTools(p *CreateMessageWithToolsParams) (*CreateMessageParams, error) {
	if len(p.Tools) > 0 || p.ToolChoice != nil {
		return nil, invalidParams("the client does not support tools in sampling")
	}
	q := &CreateMessageParams{
		Meta: p.Meta, IncludeContext: p.IncludeContext, MaxTokens: p.MaxTokens, Metadata: p.Metadata,
		ModelPreferences: p.ModelPreferences, StopSequences: p.StopSequences, SystemPrompt: p.SystemPrompt, Temperature: p.Temperature,
	}
	for _, m := range p.Messages {
		for _, content := range m.Content {
			q.Messages = append(q.Messages, &SamplingMessage{Content: content, Role: m.Role})
		}
	}
	return q, nil
}

var errNullEntry = errors.New("an entry of a list is null")

// hasNull reports whether a list in v, which a server has sent, has an entry that is null. Hosts
// need not expect nil pointers there.
func hasNull(v any) bool {
	switch v := v.(type) {
	case *ListToolsResult:
		return slices.Contains(v.Tools, nil)
	case *ListPromptsResult:
		return slices.Contains(v.Prompts, nil)
	case *ListResourcesResult:
		return slices.Contains(v.Resources, nil)
	case *ListResourceTemplatesResult:
		return slices.Contains(v.ResourceTemplates, nil)
	case *GetPromptResult:
		return slices.Contains(v.Messages, nil)
	case *ReadResourceResult:
		return slices.Contains(v.Contents, nil)
	case *CreateMessageParams:
		return slices.Contains(v.Messages, nil)
	case *CreateMessageWithToolsParams:
		return slices.Contains(v.Messages, nil) || slices.Contains(v.Tools, nil)
	}
	return false
}

// takeNotification puts a notification in line for its handler.
func (cs *ClientSession) takeNotification(m *jsonrpc.Request) {
	if cs.addNote(m) { // not under the lock: the Logger may use the session
		cs.client.opts.Logger.Warn("mcp: a notification was dropped, because the handlers are slow", "method", m.Method)
	}
}

// addNote adds a notification. It reports whether it is the first that is dropped.
func (cs *ClientSession) addNote(m *jsonrpc.Request) (dropped bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if m.Method == notifyAcknowledged {
		cs.acknowledge(m.Params)
		return false
	}
	if len(cs.notes) >= maxNotes {
		cs.dropped++
		return cs.dropped == 1
	}
	cs.notes = append(cs.notes, m)
	if !cs.noting {
		cs.noting = true
		go cs.runNotes()
	}
	return false
}

const notifyAcknowledged = "notifications/subscriptions/acknowledged"

// runNotes runs the handlers of the notifications in line.
func (cs *ClientSession) runNotes() {
	for {
		cs.mu.Lock()
		if len(cs.notes) == 0 || cs.err != nil {
			cs.noting, cs.notes = false, nil
			cs.mu.Unlock()
			return
		}
		m := cs.notes[0]
		cs.notes = cs.notes[1:]
		cs.mu.Unlock()
		cs.runNote(m)
	}
}

func (cs *ClientSession) runNote(m *jsonrpc.Request) {
	var req Request
	var err error
	switch m.Method {
	case "notifications/tools/list_changed":
		req, err = clientRequest[ToolListChangedParams](cs, m.Params)
	case "notifications/prompts/list_changed":
		req, err = clientRequest[PromptListChangedParams](cs, m.Params)
	case "notifications/resources/list_changed":
		req, err = clientRequest[ResourceListChangedParams](cs, m.Params)
	case "notifications/resources/updated":
		req, err = clientRequest[ResourceUpdatedNotificationParams](cs, m.Params)
	case "notifications/message":
		req, err = clientRequest[LoggingMessageParams](cs, m.Params)
	case MethodNotifyProgress.String():
		req, err = clientRequest[ProgressNotificationParams](cs, m.Params)
	case "notifications/elicitation/complete":
		req, err = clientRequest[ElicitationCompleteParams](cs, m.Params)
	default:
		return // "unknown notifications must be ignored"
	}
	if err == nil {
		_, err = cs.receive(cs.ctx, m.Method, req)
	}
	if err != nil {
		cs.client.opts.Logger.Warn("mcp: a notification of the server", "method", m.Method, "error", err)
	}
}
