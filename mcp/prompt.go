package mcp

import (
	"context"
	"fmt"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A PromptHandler answers prompts/get. Every argument that the prompt requires is present. A
// PromptHandler is a worker handler, see [ToolHandlerFor].
type PromptHandler func(context.Context, *GetPromptRequest) (*GetPromptResult, error)

// A prompt is a [Prompt] with its handler.
type prompt struct {
	def     *Prompt // of an upstream's prompt only the name: see listed
	to      *Target // nil unless it is an upstream's
	text    entryText
	handler PromptHandler
}

func (p *prompt) key() string                { return p.def.Name }
func (p *prompt) entry(rev *revision) []byte { return p.text[rev.index] }

func (p *prompt) shown() (FeatureKind, string) { return FeaturePrompt, p.def.Name }

// AddPrompt adds a prompt, or replaces the prompt of that name. It copies p. It panics if the
// prompt or an argument has no name, which is a programming error. It may be called from any
// goroutine.
func (s *Server) AddPrompt(p *Prompt, h PromptHandler) {
	def := *p
	if def.Name == "" {
		panic("mcp: AddPrompt: a prompt needs a name")
	}
	def.Arguments = make([]*PromptArgument, 0, len(p.Arguments))
	for _, a := range p.Arguments {
		if a == nil || a.Name == "" {
			panic(fmt.Sprintf("mcp: AddPrompt %q: an argument needs a name", def.Name))
		}
		own := *a
		def.Arguments = append(def.Arguments, &own)
	}
	text, err := newEntryText(func(w *wire) ([]byte, error) { return marshal(w.prompt(&def)) })
	if err != nil {
		panic(fmt.Sprintf("mcp: AddPrompt %q: %v", def.Name, err))
	}
	s.update(TopicPrompts, func(r *registry) bool {
		r.prompts = r.prompts.with(&prompt{def: &def, text: text, handler: h})
		r.hasPrompts = true
		return true
	})
}

// RemovePrompts removes the prompts with the names.
func (s *Server) RemovePrompts(names ...string) {
	s.update(TopicPrompts, func(r *registry) bool {
		before := r.prompts
		r.prompts = before.without(names)
		return r.prompts != before
	})
}

// shapeGetPrompt checks the params of prompts/get.
func shapeGetPrompt(c *Call) *jsonrpc.Error {
	name, ok := stringOf(c.p.name)
	if !ok {
		return invalidParams("name is required and must be a string")
	}
	c.name = name
	if c.p.arguments != nil && !isStringMap(c.p.arguments) {
		return invalidParams("arguments must be an object of strings")
	}
	return c.shapeInput()
}

// isStringMap reports whether raw is an object whose values are strings or null. A null member
// counts as absent.
func isStringMap(raw []byte) bool {
	if !isObject(raw) {
		return false
	}
	for _, value := range jsonrpc.Members(raw) {
		if _, ok := stringOf(value); !ok && !isNull(value) {
			return false
		}
	}
	return true
}

// stringMap returns raw, for which isStringMap is true, as a map. It returns nil for nil.
func stringMap(raw []byte) map[string]string {
	if raw == nil {
		return nil
	}
	m := make(map[string]string)
	for name, value := range jsonrpc.Members(raw) {
		if text, ok := stringOf(value); ok {
			m[string(unescaped(name))] = string(text)
		}
	}
	return m
}

// bindGetPrompt finds the prompt and checks that no required argument is missing. With middleware,
// a prompt that does not exist is refused behind it.
func bindGetPrompt(c *Call, _ *RequestMeta) *jsonrpc.Error {
	p, ok := lookup(c.caller, c.reg.prompts, c.name)
	if !ok && c.chained {
		return c.openState()
	}
	if !ok {
		return unknown("prompt", c.name)
	}
	c.prompt = p
	if p.to != nil {
		return c.bindTo(p.to)
	}
	for _, a := range p.def.Arguments {
		if !a.Required {
			continue
		}
		if member(c.p.arguments, a.Name) == nil {
			return invalidParams("missing required argument " + a.Name)
		}
	}
	return c.openState()
}

// runGetPrompt answers prompts/get.
func runGetPrompt(c *Call, ctx context.Context, w Sink) {
	x := new(exchange[GetPromptParams, *GetPromptParams])
	ctx = x.open(c, ctx, w)
	if c.prompt != nil {
		x.params.Name = c.prompt.def.Name
	} else {
		x.params.Name = string(c.name)
	}
	x.params.Arguments = stringMap(c.p.arguments)
	if e := c.takeInput(&x.params.InputResponses, &x.params.RequestState); e != nil {
		c.fail(w, e)
		return
	}
	res, err := through[*GetPromptResult](c, ctx, &x.req)
	if err != nil {
		c.fail(w, protocolError(err, c.rev))
		return
	}
	if res == nil {
		res = new(GetPromptResult)
	}
	if res.NeedsInput() {
		c.askClient(ctx, w, res.InputRequests, res.RequestState)
		return
	}
	msg, err := c.head().appendStart(c.buf[:0], c.id, res.Meta)
	if err == nil {
		shown := GetPromptResult{Description: res.Description, Messages: c.rev.wire.promptMessages(res.Messages)}
		msg, err = shown.appendMembers(msg)
	}
	if err != nil {
		c.failEncoding(w, err)
		return
	}
	c.respond(w, append(msg, `}}`...), 0)
}

// getPrompt is the innermost handler of prompts/get.
func (s *Server) getPrompt(ctx context.Context, req *GetPromptRequest) (*GetPromptResult, error) {
	p, ok := lookup(req.Session.caller, req.Session.reg.prompts, []byte(req.Params.Name))
	if !ok {
		return nil, unknown("prompt", []byte(req.Params.Name))
	}
	return p.handler(ctx, req)
}
