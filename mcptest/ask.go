package mcptest

import (
	"context"
	"errors"
	"fmt"

	json "github.com/goccy/go-json"
	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

var errNoAnswer = errors.New("the client has no Answer")

// answer returns the JSON of what c answers to one question of a handler.
func (c *Client) answer(ctx context.Context, key, method string, params []byte) ([]byte, error) {
	ask, err := decodeAsk(method, params)
	if err != nil {
		return nil, err
	}
	if c == nil || c.Answer == nil {
		return nil, fmt.Errorf("mcptest: the handler asks %s as %q: %w", method, key, errNoAnswer)
	}
	res, err := c.Answer(ctx, key, ask)
	if err != nil {
		return nil, fmt.Errorf("mcptest: answering %s %q: %w", method, key, err)
	}
	text, err := json.Marshal(res)
	if err != nil {
		return nil, fmt.Errorf("mcptest: answering %s %q: %w", method, key, err)
	}
	return text, nil
}

// appendAnswers appends the inputResponses to requests, the JSON of the inputRequests of a result.
func (c *Client) appendAnswers(ctx context.Context, dst, requests []byte) ([]byte, error) {
	dst = append(dst, '{')
	for name, value := range jsonrpc.Members(requests) {
		method, params := askOf(value)
		text, err := c.answer(ctx, string(jsonrpc.Unquote(nil, name)), method, params)
		if err != nil {
			return nil, err
		}
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), name...), `":`...)
		dst = append(dst, text...)
	}
	return append(dst, '}'), nil
}

// askOf returns the parts of an entry of inputRequests.
func askOf(entry []byte) (method string, params []byte) {
	name, _ := jsonrpc.Member(entry, "method")
	method, _ = jsonrpc.StringValue(name)
	params, _ = jsonrpc.Member(entry, "params")
	return method, params
}

// decodeAsk decodes the params of a question.
func decodeAsk(method string, params []byte) (mcp.InputRequest, error) {
	var ask mcp.InputRequest
	var err error
	switch method {
	case "elicitation/create":
		p := new(mcp.ElicitParams)
		ask, err = p, json.Unmarshal(params, p)
	case "roots/list":
		p := new(mcp.ListRootsParams)
		ask = p
		if params != nil {
			err = json.Unmarshal(params, p)
		}
	case "sampling/createMessage":
		ask, err = decodeSampling(params)
	default:
		return nil, fmt.Errorf("mcptest: the handler asks %q, which is not in the protocol", method)
	}
	if err != nil {
		return nil, fmt.Errorf("mcptest: the params of %s: %w", method, err)
	}
	return ask, nil
}

// decodeSampling decodes the params of sampling/createMessage as the simplest type that can hold
// them.
func decodeSampling(params []byte) (mcp.InputRequest, error) {
	_, tools := jsonrpc.Member(params, "tools")
	_, choice := jsonrpc.Member(params, "toolChoice")
	if !tools && !choice {
		p := new(mcp.CreateMessageParams)
		if json.Unmarshal(params, p) == nil {
			return p, nil
		}
	}
	p := new(mcp.CreateMessageWithToolsParams)
	return p, json.Unmarshal(params, p)
}
