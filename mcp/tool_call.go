package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// shapeCallTool checks the params of tools/call.
func shapeCallTool(c *Call) *jsonrpc.Error {
	name, ok := stringOf(c.p.name)
	if !ok {
		return invalidParams("name is required and must be a string")
	}
	c.name = name
	if c.p.arguments != nil && !isObject(c.p.arguments) {
		return invalidParams("arguments must be an object")
	}
	return c.shapeInput()
}

// maxInlineArguments is the length of arguments in octets above which an inline tool is not called
// on an event loop. In the worst case the validator takes some 2 µs for each octet.
const maxInlineArguments = 1 << 10

// bindCallTool finds the tool. With middleware, one that does not exist is refused behind it.
func bindCallTool(c *Call, meta *RequestMeta) *jsonrpc.Error {
	t, ok := lookup(c.caller, c.reg.tools, c.name)
	if !ok && c.chained {
		return c.openState()
	}
	if !ok {
		return unknown("tool", c.name)
	}
	c.tool = t
	if len(t.params) > 0 && meta.HTTP && c.rev.headers {
		if e := checkParamHeaders(t.params, c.p.arguments, meta); e != nil {
			return e
		}
	}
	if t.to != nil {
		return c.bindTo(t.to)
	}
	// Validating long arguments can take a while.
	c.inline = t.inline && !c.chained && c.reg.sending == nil && len(c.p.arguments) <= maxInlineArguments
	return c.openState()
}

// runCallTool answers tools/call.
func runCallTool(c *Call, ctx context.Context, w Sink) {
	x := &c.own
	if !c.inline {
		// It does not use c.own: a handler that keeps its request, against the contract, must not
		// see the request of another call in it.
		x = new(toolExchange)
	}
	ctx = x.open(c, ctx, w)
	if c.tool != nil {
		x.params.Name = c.tool.def.Name // has the name already, in memory of its own
	} else {
		x.params.Name = string(c.name)
	}
	x.params.Arguments = c.p.arguments
	if !c.inline {
		if e := c.takeInput(&x.params.InputResponses, &x.params.RequestState); e != nil {
			c.fail(w, e)
			return
		}
	}
	var out toolOutput
	var err error
	if c.chained {
		out.res, err = through[*CallToolResult](c, ctx, &x.req)
	} else {
		out, err = c.tool.call(ctx, &x.req)
	}
	if err != nil {
		c.fail(w, protocolError(err, c.rev))
		return
	}
	if r := out.res; r != nil && r.NeedsInput() {
		c.askClient(ctx, w, r.InputRequests, r.RequestState)
		return
	}
	c.finishTool(w, out)
}

// finishTool answers with what a handler returned.
func (c *Call) finishTool(w Sink, out toolOutput) {
	var meta Meta
	if out.res != nil {
		meta = out.res.Meta
	}
	msg, err := c.head().appendStart(c.buf[:0], c.id, meta)
	if err == nil {
		msg, err = out.append(msg, &c.rev.wire)
	}
	if err != nil {
		c.failEncoding(w, err)
		return
	}
	c.respond(w, append(msg, `}}`...), 0)
}

// arguments validates args against the input schema and returns them with its
// defaults.
func (t *tool) arguments(args []byte) ([]byte, error) {
	if args == nil {
		args = []byte(`{}`)
	}
	// Defaults come first, so that they are validated too.
	args, _ = t.in.ApplyDefaults(nil, args)
	return args, t.in.Validate(args)
}

// refusedArguments returns a result that says what is wrong with the arguments, so that the model
// sees it and can correct them (SEP-1303). Revisions before that want an error response.
func refusedArguments(req *CallToolRequest, err error) (toolOutput, error) {
	if !req.Session.rev.inputResult {
		return toolOutput{}, invalidParams(err.Error())
	}
	res := new(CallToolResult)
	res.SetError(fmt.Errorf("invalid arguments: %w", err))
	return toolOutput{res: res}, nil
}

// check fills the defaults of the output schema into the structured content and validates it. The
// schema describes what a tool returns when it succeeds, so that the output of one that failed is
// left as it is.
func (t *tool) check(out toolOutput) (toolOutput, error) {
	if t.out == nil || out.structured == nil || out.res != nil && out.res.IsError {
		return out, nil
	}
	out.structured, _ = t.out.ApplyDefaults(nil, out.structured)
	if err := t.out.Validate(out.structured); err != nil {
		return toolOutput{}, fmt.Errorf("mcp: tool %q: output: %w", t.def.Name, err)
	}
	return out, nil
}

// failedTool returns what a handler's error becomes. Only an error that is itself a
// *[jsonrpc.Error] is meant for the protocol. One that is wrapped in another has often come from a
// request that the tool made itself.
func failedTool(err error) (toolOutput, error) {
	if wire, ok := err.(*jsonrpc.Error); ok { //nolint:errorlint // see above
		return toolOutput{}, wire
	}
	res := new(CallToolResult)
	res.SetError(err)
	return toolOutput{res: res}, nil
}

// failedOutput returns the output of a handler whose result reports an error. A zero out is not
// output: the error then has no structured content. Any other need not conform to the output
// schema, which describes success.
func failedOutput[Out any](res *CallToolResult, out Out) (toolOutput, error) {
	if reflect.ValueOf(&out).Elem().IsZero() {
		return toolOutput{res: res}, nil
	}
	structured, err := marshalOutput(out, nil)
	if err != nil {
		return toolOutput{}, err
	}
	return toolOutput{res, structured}, nil
}

// append appends the members of the result. Structured content is also written as text, for
// clients that read only that: if there is no other content, and in addition to it if the
// structured content is not an object, because earlier revisions have only objects.
func (o *toolOutput) append(dst []byte, w *wire) ([]byte, error) {
	if o.structured == nil {
		if o.res == nil {
			return append(dst, `"content":[]`...), nil
		}
		res, err := w.toolResult(o.res)
		if err != nil {
			return dst, err
		}
		return res.appendMembers(dst)
	}
	var content []Content
	failed := false
	if o.res != nil {
		content, failed = w.contentList(o.res.Content), o.res.IsError
	}
	dst = append(dst, `"content":[`...)
	for i, item := range content {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendContent(dst, item); err != nil {
			return dst, err
		}
	}
	if content == nil || !isObject(o.structured) {
		if len(content) > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"type":"text","text":`...)
		dst = append(appendQuotedJSON(dst, o.structured), '}')
	}
	dst = append(dst, ']')
	if w.takes(o.structured) {
		dst = append(append(dst, `,"structuredContent":`...), o.structured...)
	}
	if failed {
		dst = append(dst, `,"isError":true`...)
	}
	return dst, nil
}

// result returns o in the form that middleware sees.
func (o *toolOutput) result() *CallToolResult {
	res := new(CallToolResult)
	if o.res != nil {
		*res = *o.res
	}
	if o.structured != nil {
		if res.Content == nil || !isObject(o.structured) {
			res.Content = append(res.Content[:len(res.Content):len(res.Content)], &TextContent{Text: string(o.structured)})
		}
		res.StructuredContent = json.RawMessage(o.structured)
	}
	return res
}
