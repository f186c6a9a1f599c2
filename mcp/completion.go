package mcp

import (
	"context"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// shapeComplete checks the params of completion/complete.
func shapeComplete(c *Call) *jsonrpc.Error {
	if !isObject(c.p.ref) {
		return invalidParams("ref is required and must be an object")
	}
	if !isObject(c.p.argument) {
		return invalidParams("argument is required and must be an object")
	}
	for _, name := range []string{"name", "value"} {
		if _, ok := stringOf(member(c.p.argument, name)); !ok {
			return invalidParams("argument needs a name and a value, both strings")
		}
	}
	if c.p.context != nil {
		if !isObject(c.p.context) {
			return invalidParams("context must be an object")
		}
		if args := member(c.p.context, "arguments"); args != nil && !isStringMap(args) {
			return invalidParams("context.arguments must be an object of strings")
		}
	}
	return nil
}

// bindComplete checks that the prompt or resource of the reference exists. With middleware,
// complete checks that.
func bindComplete(c *Call, _ *RequestMeta) *jsonrpc.Error {
	c.inline = c.s.opts.CompletionHandler == nil && !c.chained
	kind := member(c.p.ref, "type")
	var ref CompleteReference
	switch {
	case jsonrpc.EqualString(kind, RefPrompt):
		name, ok := stringOf(member(c.p.ref, "name"))
		if !ok {
			return invalidParams("ref/prompt needs a name")
		}
		ref = CompleteReference{Type: RefPrompt, Name: string(name)}
	case jsonrpc.EqualString(kind, RefResource):
		uri, ok := stringOf(member(c.p.ref, "uri"))
		if !ok {
			return invalidParams("ref/resource needs a uri")
		}
		ref = CompleteReference{Type: RefResource, URI: string(uri)}
	default:
		return invalidParams("ref must be of type ref/prompt or ref/resource")
	}
	if c.chained {
		return nil
	}
	t, e := c.completer(&ref)
	switch {
	case e != nil:
		return e
	case t == nil:
		return nil
	case !c.completesFor(t):
		c.inline = true
		return nil
	}
	return c.forwardTo(*t)
}

// completer returns the upstream that has what ref refers to, or nil if the server has it.
func (c *Call) completer(ref *CompleteReference) (*Target, *jsonrpc.Error) {
	if ref.Type == RefPrompt {
		p, ok := lookup(c.caller, c.reg.prompts, []byte(ref.Name))
		if !ok {
			return nil, errCompletePrompt
		}
		return p.to, nil
	}
	if ref.Type != RefResource {
		return nil, nil // middleware has changed it
	}
	if t, ok := lookup(c.caller, c.reg.templates, []byte(normalTemplate(ref.URI))); ok {
		return t.to, nil
	}
	t, ok := c.s.targetOf(c.reg, c.caller, RouteComplete, ref.URI)
	if !ok {
		return nil, errCompleteResource
	}
	return t, nil
}

var (
	errCompletePrompt   = invalidParams("unknown prompt")
	errCompleteResource = invalidParams("unknown resource template")
)

// runComplete answers completion/complete.
func runComplete(c *Call, ctx context.Context, w Sink) {
	var res *CompleteResult
	if !c.inline {
		x := new(exchange[CompleteParams, *CompleteParams])
		ctx = x.open(c, ctx, w)
		c.completeParams(&x.params)
		var err error
		if res, err = through[*CompleteResult](c, ctx, &x.req); err != nil {
			c.fail(w, protocolError(err, c.rev))
			return
		}
	}
	if res == nil {
		res = new(CompleteResult)
	}
	msg, err := c.head().appendStart(c.buf[:0], c.id, res.Meta)
	if err == nil {
		msg, err = res.appendMembers(msg)
	}
	if err != nil {
		c.failEncoding(w, err)
		return
	}
	c.respond(w, append(msg, `}}`...), 0)
}

// completeParams fills p from params whose shape has been checked.
func (c *Call) completeParams(p *CompleteParams) {
	p.Ref = &CompleteReference{Type: memberString(c.p.ref, "type")}
	if p.Ref.Type == RefPrompt {
		p.Ref.Name = memberString(c.p.ref, "name")
	} else {
		p.Ref.URI = memberString(c.p.ref, "uri")
	}
	p.Argument.Name = memberString(c.p.argument, "name")
	p.Argument.Value = memberString(c.p.argument, "value")
	if c.p.context != nil {
		p.Context = &CompleteContext{Arguments: stringMap(member(c.p.context, "arguments"))}
	}
}

// memberString returns the value of the member of obj, or "" if it is not a string.
func memberString(obj []byte, name string) string {
	s, _ := stringOf(member(obj, name))
	return string(s)
}

// complete is the innermost handler of completion/complete.
func (s *Server) complete(ctx context.Context, req *CompleteRequest) (*CompleteResult, error) {
	ref := req.Params.Ref
	if ref == nil {
		return nil, invalidParams("ref is required and must be an object")
	}
	c := Call{callState: callState{s: s, reg: req.Session.reg, caller: req.Session.caller}}
	t, e := c.completer(ref)
	if e != nil {
		return nil, e
	}
	if t != nil {
		if !c.completesFor(t) {
			return new(CompleteResult), nil
		}
		return s.forwardCompletion(ctx, t, req)
	}
	if s.opts.CompletionHandler == nil {
		return new(CompleteResult), nil
	}
	return s.opts.CompletionHandler(ctx, req)
}
