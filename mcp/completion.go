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
	switch {
	case jsonrpc.EqualString(kind, RefPrompt):
		name, ok := stringOf(member(c.p.ref, "name"))
		if !ok {
			return invalidParams("ref/prompt needs a name")
		}
		if !c.chained && !c.reg.completesPrompt(c.caller, name) {
			return errCompletePrompt
		}
	case jsonrpc.EqualString(kind, RefResource):
		uri, ok := stringOf(member(c.p.ref, "uri"))
		if !ok {
			return invalidParams("ref/resource needs a uri")
		}
		if !c.chained && !c.reg.completesResource(c.caller, uri) {
			return errCompleteResource
		}
	default:
		return invalidParams("ref must be of type ref/prompt or ref/resource")
	}
	return nil
}

var (
	errCompletePrompt   = invalidParams("unknown prompt")
	errCompleteResource = invalidParams("unknown resource template")
)

// completesPrompt reports whether w may ask for completions of a prompt of that name.
func (r *registry) completesPrompt(w *Caller, name []byte) bool {
	_, ok := lookup(w, r.prompts, name)
	return ok
}

// completesResource reports whether w may ask for completions of a resource or a template.
func (r *registry) completesResource(w *Caller, uri []byte) bool {
	_, ok := lookup(w, r.templates, []byte(normalTemplate(string(uri))))
	return ok || r.serves(w, uri)
}

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
	reg, caller := req.Session.reg, req.Session.caller
	switch ref := req.Params.Ref; {
	case ref == nil:
		return nil, invalidParams("ref is required and must be an object")
	case ref.Type == RefPrompt && !reg.completesPrompt(caller, []byte(ref.Name)):
		return nil, errCompletePrompt
	case ref.Type == RefResource && !reg.completesResource(caller, []byte(ref.URI)):
		return nil, errCompleteResource
	}
	if s.opts.CompletionHandler == nil {
		return new(CompleteResult), nil
	}
	return s.opts.CompletionHandler(ctx, req)
}
