package mcptest

import (
	"context"
	"fmt"

	json "github.com/goccy/go-json"
	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

// Call calls a tool of s and returns its result, and the structured content of that as an Out. In
// is a value that marshals to the arguments, a JSON object; nil stands for none. If in is a
// *[mcp.CallToolParams], it is the params, with tool as its Name if that is empty, and without its
// Meta. As is the client that calls; there is at most one.
//
// A tool that fails has a result with IsError and no error, as for every client. An error response
// of the server is a *[jsonrpc.Error]. Without structured content, which revisions before
// 2025-06-18 do not have, Out is the zero value.
//
// The handler runs on this goroutine and gets a context that is derived from ctx.
func Call[Out any](ctx context.Context, s *mcp.Server, tool string, in any, as ...*Client) (*mcp.CallToolResult, Out, error) {
	var out Out
	res, structured, err := callTool(ctx, s, tool, in, only(as))
	if err != nil {
		return nil, out, err
	}
	if structured != nil && !res.IsError {
		if err := json.Unmarshal(structured, &out); err != nil {
			return res, out, fmt.Errorf("mcptest: the structured content of %s: %w", tool, err)
		}
	}
	return res, out, nil
}

// GetPrompt gets a prompt of s. See [Call] for its errors, and for as.
func GetPrompt(ctx context.Context, s *mcp.Server, prompt string, args map[string]string, as ...*Client) (*mcp.GetPromptResult, error) {
	params := jsonrpc.AppendString([]byte(`"name":`), prompt)
	if args != nil {
		text, err := json.Marshal(args)
		if err != nil {
			return nil, fmt.Errorf("mcptest: %w", err)
		}
		params = append(append(params, `,"arguments":`...), text...)
	}
	res := new(mcp.GetPromptResult)
	text, err := (&request{method: "prompts/get", params: params}).send(ctx, s, only(as))
	if err != nil {
		return nil, err
	}
	if err := decodeResult(text, res); err != nil {
		return nil, err
	}
	return res, nil
}

// ReadResource reads a resource of s. See [Call] for its errors, and for as.
func ReadResource(ctx context.Context, s *mcp.Server, uri string, as ...*Client) (*mcp.ReadResourceResult, error) {
	res := new(mcp.ReadResourceResult)
	q := &request{method: "resources/read", params: jsonrpc.AppendString([]byte(`"uri":`), uri)}
	text, err := q.send(ctx, s, only(as))
	if err != nil {
		return nil, err
	}
	if err := decodeResult(text, res); err != nil {
		return nil, err
	}
	return res, nil
}

// callTool returns the result of a tool, and the text of its structured content or nil.
func callTool(ctx context.Context, s *mcp.Server, tool string, in any, c *Client) (*mcp.CallToolResult, []byte, error) {
	q, err := toolRequest(tool, in)
	if err != nil {
		return nil, nil, fmt.Errorf("mcptest: the arguments of %s: %w", tool, err)
	}
	text, err := q.send(ctx, s, c)
	if err != nil {
		return nil, nil, err
	}
	res := new(mcp.CallToolResult)
	if err := decodeResult(text, res); err != nil {
		return nil, nil, err
	}
	structured, _ := jsonrpc.Member(text, "structuredContent")
	return res, structured, nil
}

func toolRequest(tool string, in any) (*request, error) {
	q := &request{method: "tools/call"}
	if p, ok := in.(*mcp.CallToolParams); ok && p != nil {
		if p.Name != "" {
			tool = p.Name
		}
		in = p.Arguments
		if len(p.InputResponses) > 0 {
			text, err := json.Marshal(p.InputResponses)
			if err != nil {
				return nil, err
			}
			q.answers = text
		}
		if p.RequestState != "" {
			q.state = jsonrpc.AppendString(nil, p.RequestState)
		}
	}
	q.params = jsonrpc.AppendString([]byte(`"name":`), tool)
	if in == nil {
		return q, nil
	}
	text, err := json.Marshal(in)
	q.params = append(append(q.params, `,"arguments":`...), text...)
	return q, err
}

// only returns the client of a call, or nil for the default one.
func only(as []*Client) *Client {
	switch len(as) {
	case 0:
		return nil
	case 1:
		return as[0]
	}
	panic("mcptest: a request has one client")
}
