package mcp

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"

	"github.com/mooring-mcp/mooring/mcp/internal/schema"
)

// CallTool calls a tool. What the tool asks is answered by the handlers of [ClientOptions].
func (cs *ClientSession) CallTool(ctx context.Context, params *CallToolParams) (*CallToolResult, error) {
	if params == nil {
		params = new(CallToolParams)
	}
	return sendCall[*CallToolResult](ctx, cs, MethodCallTool.String(), params)
}

// GetPrompt gets a prompt.
func (cs *ClientSession) GetPrompt(ctx context.Context, params *GetPromptParams) (*GetPromptResult, error) {
	return sendCall[*GetPromptResult](ctx, cs, MethodGetPrompt.String(), params)
}

// ReadResource reads a resource.
func (cs *ClientSession) ReadResource(ctx context.Context, params *ReadResourceParams) (*ReadResourceResult, error) {
	return sendCall[*ReadResourceResult](ctx, cs, MethodReadResource.String(), params)
}

// Complete completes an argument.
func (cs *ClientSession) Complete(ctx context.Context, params *CompleteParams) (*CompleteResult, error) {
	return sendCall[*CompleteResult](ctx, cs, MethodComplete.String(), params)
}

// ListTools returns a page of the tools.
func (cs *ClientSession) ListTools(ctx context.Context, params *ListToolsParams) (*ListToolsResult, error) {
	res, err := sendCall[*ListToolsResult](ctx, cs, MethodListTools.String(), params)
	if err == nil {
		cs.learnHeaders(res.Tools)
	}
	return res, err
}

// ListPrompts returns a page of the prompts.
func (cs *ClientSession) ListPrompts(ctx context.Context, params *ListPromptsParams) (*ListPromptsResult, error) {
	return sendCall[*ListPromptsResult](ctx, cs, MethodListPrompts.String(), params)
}

// ListResources returns a page of the resources.
func (cs *ClientSession) ListResources(ctx context.Context, params *ListResourcesParams) (*ListResourcesResult, error) {
	return sendCall[*ListResourcesResult](ctx, cs, MethodListResources.String(), params)
}

// ListResourceTemplates returns a page of the resource templates.
func (cs *ClientSession) ListResourceTemplates(ctx context.Context, params *ListResourceTemplatesParams) (*ListResourceTemplatesResult, error) {
	return sendCall[*ListResourceTemplatesResult](ctx, cs, MethodListResourceTemplates.String(), params)
}

// Tools yields all tools, page by page, from the cursor of params on. An error is the last thing
// yielded.
func (cs *ClientSession) Tools(ctx context.Context, params *ListToolsParams) iter.Seq2[*Tool, error] {
	return pages(params, func(p *ListToolsParams) ([]*Tool, *string, string, error) {
		res, err := cs.ListTools(ctx, p)
		if err != nil {
			return nil, nil, "", err
		}
		return res.Tools, &p.Cursor, res.NextCursor, nil
	})
}

// Prompts yields all prompts. See [ClientSession.Tools].
func (cs *ClientSession) Prompts(ctx context.Context, params *ListPromptsParams) iter.Seq2[*Prompt, error] {
	return pages(params, func(p *ListPromptsParams) ([]*Prompt, *string, string, error) {
		res, err := cs.ListPrompts(ctx, p)
		if err != nil {
			return nil, nil, "", err
		}
		return res.Prompts, &p.Cursor, res.NextCursor, nil
	})
}

// Resources yields all resources. See [ClientSession.Tools].
func (cs *ClientSession) Resources(ctx context.Context, params *ListResourcesParams) iter.Seq2[*Resource, error] {
	return pages(params, func(p *ListResourcesParams) ([]*Resource, *string, string, error) {
		res, err := cs.ListResources(ctx, p)
		if err != nil {
			return nil, nil, "", err
		}
		return res.Resources, &p.Cursor, res.NextCursor, nil
	})
}

// ResourceTemplates yields all resource templates. See [ClientSession.Tools].
func (cs *ClientSession) ResourceTemplates(ctx context.Context, params *ListResourceTemplatesParams) iter.Seq2[*ResourceTemplate, error] {
	return pages(params, func(p *ListResourceTemplatesParams) ([]*ResourceTemplate, *string, string, error) {
		res, err := cs.ListResourceTemplates(ctx, p)
		if err != nil {
			return nil, nil, "", err
		}
		return res.ResourceTemplates, &p.Cursor, res.NextCursor, nil
	})
}

// pages yields the entries of all pages. List returns those of a page, where its params have their
// cursor, and the next cursor.
func pages[P, T any](params *P, list func(*P) ([]*T, *string, string, error)) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		var p P
		if params != nil {
			p = *params
		}
		for {
			entries, cursor, next, err := list(&p)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
			}
			switch next {
			case "":
				return
			case *cursor:
				yield(nil, errors.New("mcp: the server repeats a page"))
				return
			}
			*cursor = next
		}
	}
}

// Ping asks the server whether it is there. Revisions without sessions do not have it.
func (cs *ClientSession) Ping(ctx context.Context, params *PingParams) error {
	_, err := sendCall[*ResultBase](ctx, cs, MethodPing.String(), params)
	return err
}

// SetLoggingLevel asks for log messages of at least this level, in a session. In revisions without
// sessions each request says it in its _meta, see [MetaKeyLogLevel].
func (cs *ClientSession) SetLoggingLevel(ctx context.Context, params *SetLoggingLevelParams) error {
	_, err := sendCall[*ResultBase](ctx, cs, MethodSetLevel.String(), params)
	return err
}

// NotifyProgress reports to the server how far the answer to a request of its is.
func (cs *ClientSession) NotifyProgress(ctx context.Context, params *ProgressNotificationParams) error {
	return sendNote(ctx, cs, MethodNotifyProgress.String(), params)
}

// Subscribe asks for notifications of updates of a resource. When it returns, no later update is
// missed.
func (cs *ClientSession) Subscribe(ctx context.Context, params *SubscribeParams) error {
	if !cs.modern() {
		_, err := sendCall[*ResultBase](ctx, cs, MethodSubscribe.String(), params)
		return err
	}
	cancel, err := cs.listen(ctx, &NotificationSubscriptions{ResourceSubscriptions: []string{params.URI}})
	if err != nil {
		return err
	}
	cs.mu.Lock()
	before := cs.watched[params.URI]
	cs.watched[params.URI] = cancel
	cs.mu.Unlock()
	if before != nil {
		before()
	}
	return nil
}

// Unsubscribe ends what Subscribe has begun.
func (cs *ClientSession) Unsubscribe(ctx context.Context, params *UnsubscribeParams) error {
	if !cs.modern() {
		_, err := sendCall[*ResultBase](ctx, cs, MethodUnsubscribe.String(), params)
		return err
	}
	cs.mu.Lock()
	cancel := cs.watched[params.URI]
	delete(cs.watched, params.URI)
	cs.mu.Unlock()
	if cancel == nil {
		return fmt.Errorf("mcp: not subscribed to %s", params.URI)
	}
	cancel()
	return nil
}

// learnHeaders notes which arguments of tools belong in header fields too.
func (cs *ClientSession) learnHeaders(tools []*Tool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for _, t := range tools {
		delete(cs.headers, t.Name)
		text, err := marshal(t.InputSchema)
		if err != nil {
			continue
		}
		// A schema that cannot be read has no such arguments.
		if found, err := schema.HeaderParams(text); err == nil && len(found) > 0 && len(found) <= maxHeaderParams {
			cs.headers[t.Name] = headerParams(found)
		}
	}
}

// AddSendingCustomMethod makes c send a method that is not in the protocol: see
// [CallCustomMethod].
func AddSendingCustomMethod[P paramsOf[T], R Result, T any](c *Client, method string) error {
	if clientResults[method] != nil {
		return fmt.Errorf("mcp: %s is a method of the protocol", method)
	}
	if reflect.TypeFor[R]().Kind() != reflect.Pointer {
		return fmt.Errorf("mcp: the result of %s must be a pointer, not a %s", method, reflect.TypeFor[R]())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.custom == nil {
		c.custom = make(map[string]func() Result)
	}
	c.custom[method] = func() Result { return reflect.New(reflect.TypeFor[R]().Elem()).Interface().(Result) }
	return nil
}

// CallCustomMethod sends a method that was given to [AddSendingCustomMethod].
func CallCustomMethod[P paramsOf[T], R Result, T any](ctx context.Context, cs *ClientSession, method string, params P) (R, error) {
	return sendCall[R](ctx, cs, method, params)
}
