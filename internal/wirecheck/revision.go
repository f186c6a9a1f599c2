package wirecheck

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A revision is one schema file.
type revision struct {
	name     string
	root     string            // the member that contains its definitions
	defs     map[string]any    // by name
	byMethod map[string]string // the definition of a request or notification by its method
	modern   bool              // results have a resultType
	idless   bool              // the schema has errors without an id

	mu       sync.Mutex
	compiler *jsonschema.Compiler          // guarded by mu
	compiled map[string]*jsonschema.Schema // guarded by mu
}

func newRevision(name string, doc any) (*revision, error) {
	file, ok := doc.(map[string]any)
	if !ok {
		return nil, errors.New("not an object")
	}
	r := &revision{name: name, root: "$defs", byMethod: make(map[string]string), compiled: make(map[string]*jsonschema.Schema)}
	if r.defs, ok = file[r.root].(map[string]any); !ok {
		r.root = "definitions"
		if r.defs, ok = file[r.root].(map[string]any); !ok {
			return nil, errors.New("no definitions")
		}
	}
	for def, schema := range r.defs {
		// ClientNotification and the like are unions, or aliases of a union's only member.
		if strings.HasPrefix(def, "Client") || strings.HasPrefix(def, "Server") {
			continue
		}
		if method := constOf(schema, "method"); method != "" {
			r.byMethod[method] = def
		}
	}
	r.modern = r.has("ResultType")
	r.idless = !requires(r.defs["JSONRPCErrorResponse"], "id") && r.has("JSONRPCErrorResponse")
	r.close()
	r.compiler = jsonschema.NewCompiler()
	r.compiler.UseLoader(noLoader{})
	r.compiler.AssertFormat()
	// The library's own check parses the host of a template as that of a URI.
	r.compiler.RegisterFormat(&jsonschema.Format{Name: "uri-template", Validate: uriTemplate})
	return r, r.compiler.AddResource("mcp.json", doc)
}

// A noLoader fetches nothing: the files refer to nothing outside themselves.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) { return nil, fmt.Errorf("will not load %s", url) }

// uriTemplate requires that braces come in pairs, without nesting, around something.
func uriTemplate(v any) error {
	s, ok := v.(string)
	for ok && s != "" {
		literal, rest, open := strings.Cut(s, "{")
		name, tail, closed := strings.Cut(rest, "}")
		if strings.Contains(literal, "}") || open && (!closed || name == "" || strings.Contains(name, "{")) {
			return errors.New("unpaired brace")
		}
		s = tail
	}
	return nil
}

func constOf(schema any, property string) string {
	s, _ := schema.(map[string]any)
	props, _ := s["properties"].(map[string]any)
	p, _ := props[property].(map[string]any)
	c, _ := p["const"].(string)
	return c
}

func (r *revision) has(def string) bool { return r.defs[def] != nil }

// valid checks v against a definition of the file.
func (r *revision) valid(def string, v any) error {
	if !r.has(def) {
		return fmt.Errorf("%s has no %s", r.name, def)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.compiled[def]
	if s == nil {
		var err error
		if s, err = r.compiler.Compile("mcp.json#/" + r.root + "/" + def); err != nil {
			return err
		}
		r.compiled[def] = s
	}
	if err := s.Validate(v); err != nil {
		return fmt.Errorf("%s: %w", def, err)
	}
	return nil
}

// message checks one message: the envelope, and its content.
func (r *revision) message(requestMethod string, doc any) error {
	m, ok := doc.(map[string]any)
	if !ok {
		return errors.New("not an object")
	}
	if err := r.envelope(m); err != nil {
		return err
	}
	_, isResult := m["result"]
	_, isError := m["error"]
	method, isMethod := m["method"].(string)
	_, hasID := m["id"]
	switch {
	case isResult && !isError && !isMethod:
		if err := onlyMembers(m, "jsonrpc", "id", "result"); err != nil {
			return err
		}
		return r.result(requestMethod, m)
	case isError && !isResult && !isMethod:
		if err := onlyMembers(m, "jsonrpc", "id", "error"); err != nil {
			return err
		}
		return r.errorResponse(m)
	case isMethod && !isResult && !isError:
		if err := onlyMembers(m, "jsonrpc", "id", "method", "params"); err != nil {
			return err
		}
		return r.fromServer(method, hasID, m)
	}
	return errors.New("not exactly one of result, error and method")
}

// envelope checks m as a message of any kind. An error response to a message whose id could not be
// read has no id. The schemas before 2025-11-25 require one, but "the HTTP response body MAY
// comprise a JSON-RPC error response that has no id" (basic/transports of 2025-03-26).
func (r *revision) envelope(m map[string]any) error {
	_, isError := m["error"]
	if _, hasID := m["id"]; r.idless || hasID || !isError {
		return r.valid("JSONRPCMessage", m)
	}
	e, _ := m["error"].(map[string]any)
	if code := fmt.Sprint(e["code"]); code != "-32700" && code != "-32600" {
		return fmt.Errorf("error %s without an id: envelope", code)
	}
	named := maps.Clone(m)
	named["id"] = ""
	return r.valid("JSONRPCMessage", named)
}

func onlyMembers(m map[string]any, names ...string) error {
	for name := range m {
		if !slices.Contains(names, name) {
			return fmt.Errorf("member %q in the envelope", name)
		}
	}
	return nil
}

// fromServer checks a notification or a request of the server.
func (r *revision) fromServer(method string, hasID bool, m map[string]any) error {
	def := r.byMethod[method]
	switch {
	case def == "":
		return fmt.Errorf("%s has no method %q", r.name, method)
	case hasID && r.modern:
		return fmt.Errorf("%s has no requests of the server", r.name)
	case hasID != strings.HasSuffix(def, "Request"):
		return fmt.Errorf("%q with the wrong kind of envelope", method)
	}
	return r.valid(def, m)
}

// resultDef returns the definition of the result of method.
func (r *revision) resultDef(method string) (string, error) {
	def, ok := strings.CutSuffix(r.byMethod[method], "Request")
	if !ok {
		return "", fmt.Errorf("%s has no request %q with a result", r.name, method)
	}
	if r.has(def + "Result") {
		return def + "Result", nil
	}
	return "EmptyResult", nil
}

func (r *revision) result(method string, m map[string]any) error {
	def, err := r.resultDef(method)
	if err != nil {
		return err
	}
	result, _ := m["result"].(map[string]any)
	if !r.modern {
		meta, _ := result["_meta"].(map[string]any)
		if _, ok := meta["io.modelcontextprotocol/serverInfo"]; ok {
			return fmt.Errorf("serverInfo in _meta, which %s does not have", r.name)
		}
		return r.valid(def, result)
	}
	if err := serverInfo(result); err != nil {
		return err
	}
	switch t := result["resultType"]; t {
	case "complete":
		return r.valid(def, result)
	case "input_required":
		return r.inputRequired(def, result)
	default:
		return fmt.Errorf("resultType is %v", t)
	}
}

// serverInfo requires what basic/index recommends with a SHOULD and this server always does.
func serverInfo(result map[string]any) error {
	meta, _ := result["_meta"].(map[string]any)
	if info, _ := meta["io.modelcontextprotocol/serverInfo"].(map[string]any); info == nil {
		return errors.New("result without serverInfo in _meta")
	}
	return nil
}

// inputRequired checks the rules of basic/patterns/mrtr.
func (r *revision) inputRequired(def string, result map[string]any) error {
	if !slices.Contains([]string{"CallToolResult", "GetPromptResult", "ReadResourceResult"}, def) {
		return fmt.Errorf("input_required in place of a %s", def)
	}
	if result["inputRequests"] == nil && result["requestState"] == nil {
		return errors.New("input_required with neither inputRequests nor requestState")
	}
	for _, name := range []string{"ttlMs", "cacheScope", "content", "contents", "messages"} {
		if _, ok := result[name]; ok {
			return fmt.Errorf("input_required with %s", name)
		}
	}
	return r.valid("InputRequiredResult", result)
}

// errorDef returns the definition of the whole error message for a code, or "".
func errorDef(code int64) string {
	switch code {
	case -32020:
		return "HeaderMismatchError"
	case -32021:
		return "MissingRequiredClientCapabilityError"
	case -32022:
		return "UnsupportedProtocolVersionError"
	}
	return ""
}

func (r *revision) errorResponse(m map[string]any) error {
	e, _ := m["error"].(map[string]any)
	if err := onlyMembers(e, "code", "message", "data"); err != nil {
		return fmt.Errorf("error object: %w", err)
	}
	n, _ := e["code"].(json.Number)
	code, err := n.Int64()
	if err != nil {
		return fmt.Errorf("error code %s", n)
	}
	if !r.modern {
		if code == -32042 && !r.has("URLElicitationRequiredError") {
			return fmt.Errorf("error code %d belongs to a later revision", code)
		}
		return nil
	}
	if def := errorDef(code); def != "" {
		return r.valid(def, m)
	}
	switch {
	case code == -32002 || code == -32042:
		return fmt.Errorf("error code %d belongs to earlier revisions", code)
	case -32099 <= code && code <= -32000:
		return fmt.Errorf("error code %d is reserved", code)
	}
	return nil
}
