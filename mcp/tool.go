package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"unicode/utf8"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp/internal/schema"
)

// A ToolHandler answers tools/call with the raw arguments. Neither the arguments nor the result are
// validated or completed. An error becomes an error response; a failure that the model should see
// belongs in the result ([CallToolResult.SetError]).
type ToolHandler func(context.Context, *CallToolRequest) (*CallToolResult, error)

// A ToolHandlerFor answers tools/call with typed arguments.
//
// The arguments have been validated against the tool's input schema, and its defaults filled in.
// Invalid arguments never reach the handler; the client gets a result that says what is wrong. The
// output becomes the structured content, unless Out is an interface and the output is nil. The
// defaults of the output schema are filled in and it is validated against the schema, and its text
// becomes the content if the result has none. A nil result stands for an empty one.
//
// An error becomes a result with isError, so that the model sees it. An error that is a
// *[jsonrpc.Error], not one that wraps it, becomes the error response instead.
//
// A worker handler runs on a goroutine of its own and may block. It should return when its context
// ends: then the client has disconnected or given up.
type ToolHandlerFor[In, Out any] func(_ context.Context, req *CallToolRequest, in In) (*CallToolResult, Out, error)

// An InlineToolHandlerFor is like a [ToolHandlerFor], but runs where the message was read, which is
// usually an event loop with thousands of other connections. It must not wait for anything and must
// not keep req.
type InlineToolHandlerFor[In, Out any] func(req *CallToolRequest, in In) (Out, error)

// A tool is a [Tool] with its handler and compiled schemas, or a tool of an upstream without them.
// It is immutable.
type tool struct {
	def    *Tool   // of an upstream's tool only the name: see listed
	to     *Target // nil unless it is an upstream's
	text   entryText
	in     *schema.Schema
	out    *schema.Schema // nil if the output is not validated
	params []headerParam
	inline bool
	call   toolFunc
}

// A toolFunc runs a tool. An error becomes an error response.
type toolFunc func(context.Context, *CallToolRequest) (toolOutput, error)

// A toolOutput is what a handler returned: a result, structured content as JSON, or both.
type toolOutput struct {
	res        *CallToolResult
	structured []byte
}

func (t *tool) key() string                { return t.def.Name }
func (t *tool) entry(rev *revision) []byte { return t.text[rev.index] }

func (t *tool) shown() (FeatureKind, string) { return FeatureTool, t.def.Name }

// AddTool adds a tool with a typed handler to s, or replaces the tool of that name. It infers the
// schemas that t does not have: the input schema from In, and the output schema from Out unless Out
// is an interface. It copies t. It panics if the name is empty or a schema is not valid, which is a
// programming error, and logs a name that clients may refuse. It may be called from any goroutine.
func AddTool[In, Out any](s *Server, t *Tool, h ToolHandlerFor[In, Out]) {
	addTypedTool(s, t, false, h)
}

// AddInlineTool is like [AddTool] for a handler that runs where the message was read. If the
// arguments are longer than 1 KiB, a worker validates them and calls the handler instead. See
// [InlineToolHandlerFor] for what the handler must not do.
func AddInlineTool[In, Out any](s *Server, t *Tool, h InlineToolHandlerFor[In, Out]) {
	addTypedTool(s, t, true, func(_ context.Context, req *CallToolRequest, in In) (*CallToolResult, Out, error) {
		out, err := h(req, in)
		return nil, out, err
	})
}

func addTypedTool[In, Out any](s *Server, t *Tool, inline bool, h ToolHandlerFor[In, Out]) {
	tt := s.newTypedTool(t, reflect.TypeFor[In](), reflect.TypeFor[Out]())
	tt.inline = inline
	zero := zeroOutput[Out](t)
	tt.call = func(ctx context.Context, req *CallToolRequest) (toolOutput, error) {
		var in In
		args, err := tt.arguments(req.Params.Arguments)
		if err == nil {
			err = decodeArguments(args, &in)
		}
		if err != nil {
			return refusedArguments(req, err)
		}
		res, out, err := h(ctx, req, in)
		if err != nil {
			return failedTool(err)
		}
		if res != nil && res.NeedsInput() {
			return toolOutput{res: res}, nil
		}
		if res != nil && res.IsError {
			return failedOutput(res, out)
		}
		structured, err := marshalOutput(out, zero)
		if err != nil {
			return toolOutput{}, err
		}
		return tt.check(toolOutput{res, structured})
	}
	s.addTool(tt)
}

// AddTool adds a tool with a raw handler, or replaces the tool of that name. T must have an input
// schema of type object. AddTool copies t. It panics if the name is empty or a schema is not valid,
// which is a programming error, and logs a name that clients may refuse. It may be called from any
// goroutine.
func (s *Server) AddTool(t *Tool, h ToolHandler) {
	if t.InputSchema == nil {
		panic(fmt.Sprintf("mcp: AddTool %q: a raw tool needs an input schema", t.Name))
	}
	tt := s.newTool(t)
	tt.out = nil
	tt.call = func(ctx context.Context, req *CallToolRequest) (toolOutput, error) {
		res, err := h(ctx, req)
		return toolOutput{res: res}, err
	}
	s.addTool(tt)
}

// RemoveTools removes the tools with the names. Calls in flight continue.
func (s *Server) RemoveTools(names ...string) {
	s.update(TopicTools, func(r *registry) bool {
		before := r.tools
		r.tools = before.without(names)
		return r.tools != before
	})
}

func (s *Server) addTool(t *tool) {
	s.update(TopicTools, func(r *registry) bool {
		r.tools = r.tools.with(t)
		r.hasTools = true
		return true
	})
}

// newTypedTool returns t, without a handler, with schemas inferred from in and out where t has
// none.
func (s *Server) newTypedTool(t *Tool, in, out reflect.Type) *tool {
	def := *t
	if def.InputSchema == nil {
		def.InputSchema = s.inferSchema(t.Name, in, false)
	}
	if def.OutputSchema == nil && out.Kind() != reflect.Interface {
		def.OutputSchema = s.inferSchema(t.Name, out, true)
	}
	return s.newTool(&def)
}

// newTool returns a copy of t with compiled schemas, without a handler.
func (s *Server) newTool(t *Tool) *tool {
	compile := func(text []byte) (*schema.Schema, error) {
		return s.opts.SchemaCache.compile(text, s.opts.UncheckedPatterns)
	}
	refuse := func(format string, args ...any) {
		panic(fmt.Sprintf("mcp: AddTool %q: %s", t.Name, fmt.Sprintf(format, args...)))
	}
	switch {
	case t.Name == "" || !utf8.ValidString(t.Name):
		refuse("the name must be text in UTF-8")
	case !validToolName(t.Name):
		s.opts.Logger.Warn("mcp: the name of a tool should have 1 to 128 characters of A-Z a-z 0-9 _ - .; clients may refuse it",
			"tool", t.Name)
	}
	def := *t
	tt := &tool{def: &def}
	text, err := marshal(t.InputSchema)
	if err != nil {
		refuse("input schema: %v", err)
	}
	if kind, _ := jsonrpc.Member(text, "type"); string(kind) != `"object"` {
		refuse(`input schema: its type must be "object"`)
	}
	if tt.in, err = compile(text); err != nil {
		refuse("input schema: %v", err)
	}
	found, err := schema.HeaderParams(text)
	if err != nil {
		refuse("input schema: %v", err)
	}
	if len(found) > maxHeaderParams {
		refuse("input schema: more than %d properties with x-mcp-header", maxHeaderParams)
	}
	tt.params = headerParams(found)
	def.InputSchema = json.RawMessage(text)
	if t.OutputSchema != nil {
		text, err := marshal(t.OutputSchema)
		if err != nil {
			refuse("output schema: %v", err)
		}
		if tt.out, err = compile(text); err != nil {
			refuse("output schema: %v", err)
		}
		def.OutputSchema = json.RawMessage(text)
	}
	tt.text, err = newEntryText(func(w *wire) ([]byte, error) {
		shown, err := w.tool(&def)
		if err != nil {
			return nil, err
		}
		return marshal(shown)
	})
	if err != nil {
		refuse("%v", err)
	}
	return tt
}

// inferSchema returns the schema of t, as the input or the output of the tool. That of an empty
// interface admits any object.
func (s *Server) inferSchema(tool string, t reflect.Type, output bool) json.RawMessage {
	if t.Kind() == reflect.Interface && t.NumMethod() == 0 {
		return json.RawMessage(`{"type":"object"}`)
	}
	text, err := s.opts.SchemaCache.infer(t, output)
	if err != nil {
		which := "input"
		if output {
			which = "output"
		}
		panic(fmt.Sprintf("mcp: AddTool %q: %s schema: %v", tool, which, err))
	}
	return text
}

// validToolName reports whether name follows the recommendation of server/tools, "Tool Names".
func validToolName(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.' {
			return false
		}
	}
	return len(name) >= 1 && len(name) <= 128
}

// zeroOutput returns what is written for a nil Out: an empty map if Out is a map, and a zero value
// of the element type if Out is a pointer whose schema was inferred from that type. Otherwise it
// returns nil.
func zeroOutput[Out any](t *Tool) any {
	out := reflect.TypeFor[Out]()
	if out.Kind() == reflect.Pointer && t.OutputSchema == nil {
		out = out.Elem()
	} else if out.Kind() != reflect.Map {
		return nil
	}
	if out.Kind() == reflect.Map {
		return reflect.MakeMap(out).Interface()
	}
	return reflect.Zero(out).Interface()
}

// marshalOutput returns the JSON of out. It returns nil if there is no output, that is, if out is a
// nil interface. Unless zero is nil, it is written in place of an out that would be null.
func marshalOutput[Out any](out Out, zero any) ([]byte, error) {
	v := any(out)
	if v == nil {
		return nil, nil
	}
	text, err := marshal(v)
	if err == nil && zero != nil && bytes.Equal(text, []byte("null")) {
		text, err = marshal(zero)
	}
	if err != nil {
		return nil, fmt.Errorf("mcp: tool output: %w", err)
	}
	return text, nil
}
