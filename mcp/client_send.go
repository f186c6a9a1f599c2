package mcp

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	jsonv2 "github.com/goccy/go-json/v2"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// clientResults makes the results of the methods that a client sends.
var clientResults = map[string]func() Result{
	MethodDiscover.String():              func() Result { return new(DiscoverResult) },
	MethodInitialize.String():            func() Result { return new(InitializeResult) },
	MethodListTools.String():             func() Result { return new(ListToolsResult) },
	MethodCallTool.String():              func() Result { return new(CallToolResult) },
	MethodListResources.String():         func() Result { return new(ListResourcesResult) },
	MethodListResourceTemplates.String(): func() Result { return new(ListResourceTemplatesResult) },
	MethodReadResource.String():          func() Result { return new(ReadResourceResult) },
	MethodListPrompts.String():           func() Result { return new(ListPromptsResult) },
	MethodGetPrompt.String():             func() Result { return new(GetPromptResult) },
	MethodComplete.String():              func() Result { return new(CompleteResult) },
	MethodPing.String():                  func() Result { return new(ResultBase) },
	MethodSetLevel.String():              func() Result { return new(ResultBase) },
	MethodSubscribe.String():             func() Result { return new(ResultBase) },
	MethodUnsubscribe.String():           func() Result { return new(ResultBase) },
}

// newResult returns a result for method to decode into, or nil if c does not send the method.
func (c *Client) newResult(method string) Result {
	make := clientResults[method]
	if make == nil {
		c.mu.Lock()
		make = c.custom[method]
		c.mu.Unlock()
	}
	if make == nil {
		return nil
	}
	return make()
}

// sendCall sends a request through the sending middleware.
func sendCall[R Result, P Params](ctx context.Context, cs *ClientSession, method string, params P) (R, error) {
	var none R
	res, err := cs.through(ctx, method, &ClientRequest[P]{Session: cs, Params: params})
	if err != nil {
		return none, err
	}
	typed, ok := res.(R)
	if !ok {
		return none, fmt.Errorf("mcp: middleware returned a %T for %s", res, method)
	}
	return typed, nil
}

// sendNote sends a notification through the sending middleware.
func sendNote[P Params](ctx context.Context, cs *ClientSession, method string, params P) error {
	_, err := cs.through(ctx, method, &ClientRequest[P]{Session: cs, Params: params})
	return err
}

func (cs *ClientSession) through(ctx context.Context, method string, req Request) (Result, error) {
	c := cs.client
	c.mu.Lock()
	sending := c.sending
	c.mu.Unlock()
	return chain(sending, cs.dispatch)(ctx, method, req)
}

// dispatch is the innermost MethodHandler for what is sent.
func (cs *ClientSession) dispatch(ctx context.Context, method string, req Request) (Result, error) {
	params, err := cs.encodeParams(method, req.GetParams())
	if err != nil {
		return nil, fmt.Errorf("mcp: params of %s: %w", method, err)
	}
	if strings.HasPrefix(method, "notifications/") {
		return nil, cs.notify(ctx, method, params)
	}
	res := cs.client.newResult(method)
	if res == nil {
		return nil, fmt.Errorf("mcp: the client does not send %s", method)
	}
	if p, ok := req.GetParams().(*CallToolParams); ok {
		ctx = cs.withParamHeaders(ctx, p.Name, member(params, "arguments"))
	}
	text, err := cs.roundTrip(ctx, method, params)
	if err == nil && (cs.client.opts.MultiRoundTrip == nil || !cs.client.opts.MultiRoundTrip.Disabled) {
		text, err = cs.answerResult(ctx, method, params, text)
	}
	if err != nil {
		return nil, err
	}
	if err := jsonv2.Unmarshal(text, res, exact); err != nil {
		return nil, fmt.Errorf("mcp: result of %s: %w", method, err)
	}
	if hasNull(res) {
		return nil, fmt.Errorf("mcp: result of %s: %w", method, errNullEntry)
	}
	return res, nil
}

// encodeParams returns the JSON of params, with what every request of the revision says.
func (cs *ClientSession) encodeParams(method string, params Params) ([]byte, error) {
	text := []byte(`{}`)
	if params != nil && !reflect.ValueOf(params).IsNil() {
		var err error
		if text, err = marshal(params); err != nil {
			return nil, err
		}
	}
	if !cs.modern() && method != MethodDiscover.String() {
		return text, nil
	}
	return cs.withEnvelope(text)
}

// withEnvelope adds to params what a modern request says of itself and its client.
func (cs *ClientSession) withEnvelope(params []byte) ([]byte, error) {
	rev := cs.rev
	if rev == nil {
		rev = newest()
	}
	caps, err := marshal(cs.client.capabilities())
	if err != nil {
		return nil, err
	}
	info, err := marshal(&cs.client.impl)
	if err != nil {
		return nil, err
	}
	dst := jsonrpc.AppendString([]byte(`{"_meta":{"`+MetaKeyProtocolVersion+`":`), rev.name)
	dst = append(append(dst, `,"`+MetaKeyClientCapabilities+`":`...), caps...)
	dst = append(append(dst, `,"`+MetaKeyClientInfo+`":`...), info...)
	for name, value := range jsonrpc.Members(member(params, "_meta")) {
		switch string(unescaped(name)) {
		case MetaKeyProtocolVersion, MetaKeyClientCapabilities, MetaKeyClientInfo:
		default:
			dst = appendRawMember(dst, name, value)
		}
	}
	dst = append(dst, '}')
	for name, value := range jsonrpc.Members(params) {
		if string(unescaped(name)) != "_meta" {
			dst = appendRawMember(dst, name, value)
		}
	}
	return append(dst, '}'), nil
}

// appendRawMember appends a member to an object that has one already.
func appendRawMember(dst, name, value []byte) []byte {
	dst = append(append(dst, `,"`...), name...)
	return append(append(dst, `":`...), value...)
}
