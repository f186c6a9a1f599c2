package schema

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A HeaderParam is a property whose value a client mirrors into the header
// field Mcp-Param-{Name}: an "x-mcp-header" annotation (MCP 2026-07-28,
// server/tools, x-mcp-header).
type HeaderParam struct {
	Name string   // the token as annotated
	Path []string // the chain of property names from the root
	Type string   // string, integer or boolean
}

const headerKeyword = "x-mcp-header"

// HeaderParams returns the x-mcp-header annotations of the schema in text,
// sorted by path, or nil if there are none. A schema with a bad annotation is
// not a valid tool definition; the error names the place and the rule that the
// annotation breaks.
func HeaderParams(text []byte) ([]HeaderParam, error) {
	doc, err := parse(text)
	if err != nil {
		return nil, err
	}
	h := headers{byName: map[string]string{}}
	if err := h.schema(doc, nil, nil, true); err != nil {
		return nil, err
	}
	return h.found, nil
}

// headers collects annotations.
type headers struct {
	found  []HeaderParam
	byName map[string]string // place of an annotation by its lower-case name
}

// schema looks into a schema. At is its place in the document. Path is the chain
// of property names that leads to it; it has a meaning only if pure is true.
func (h *headers) schema(v any, at, path []string, pure bool) error {
	obj, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	if a, ok := obj[headerKeyword]; ok {
		if err := h.annotation(obj, a, at, path, pure); err != nil {
			return err
		}
	}
	for _, keyword := range slices.Sorted(maps.Keys(obj)) {
		sub := obj[keyword]
		in := append(slices.Clip(at), keyword)
		var err error
		switch keyword {
		case "properties":
			err = h.members(sub, in, path, pure)
		case "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies":
			err = h.members(sub, in, nil, false)
		case "items", "prefixItems", "additionalItems", "contains", "unevaluatedItems",
			"additionalProperties", "unevaluatedProperties", "propertyNames", "contentSchema",
			"allOf", "anyOf", "oneOf", "not", "if", "then", "else":
			err = h.oneOrMany(sub, in)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// members looks into each schema of a map of schemas.
func (h *headers) members(v any, at, path []string, pure bool) error {
	obj, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(obj)) {
		if err := h.schema(obj[name], append(slices.Clip(at), name), append(slices.Clip(path), name), pure); err != nil {
			return err
		}
	}
	return nil
}

// oneOrMany looks into a schema or a list of schemas that no chain of
// "properties" reaches.
func (h *headers) oneOrMany(v any, at []string) error {
	arr, ok := v.([]any)
	if !ok {
		return h.schema(v, at, nil, false)
	}
	for i, e := range arr {
		if err := h.schema(e, append(slices.Clip(at), fmt.Sprint(i)), nil, false); err != nil {
			return err
		}
	}
	return nil
}

// annotation checks one annotation. The quoted rules are those of MCP
// 2026-07-28, basic/transports/streamable-http, Schema Extension.
func (h *headers) annotation(obj map[string]any, a any, at, path []string, pure bool) error {
	where := failure{at: at}.pointer()
	bad := func(format string, args ...any) error {
		return fmt.Errorf("schema: %s at %s: %s", headerKeyword, clip(where, 200), fmt.Sprintf(format, args...))
	}
	name, ok := a.(string)
	switch {
	case !ok:
		return bad("the name must be a string")
	// "MUST NOT be empty"
	case name == "":
		return bad("the name is empty")
	// "MUST match HTTP field-name token syntax (1*tchar, RFC 9110 Section 5.1)"
	case strings.IndexFunc(name, notTchar) >= 0:
		return bad("the name %q is not a token of RFC 9110", clip(name, 80))
	// "MUST only be applied to properties that are statically reachable from
	// the schema root: reachable via a chain consisting solely of properties keys"
	case !pure || len(path) == 0:
		return bad("not on a property that is reachable from the root by properties alone")
	}
	// "MUST only be applied to parameters with primitive types (integer, string,
	// boolean)"
	typ, _ := obj["type"].(string)
	if typ != "string" && typ != "integer" && typ != "boolean" {
		return bad("the property's type must be string, integer or boolean")
	}
	// "MUST be case-insensitively unique among all x-mcp-header values"
	lower := strings.ToLower(name)
	if other, ok := h.byName[lower]; ok {
		return bad("the name %q is also used at %s", clip(name, 80), clip(other, 200))
	}
	h.byName[lower] = where
	h.found = append(h.found, HeaderParam{Name: name, Path: slices.Clone(path), Type: typ})
	return nil
}

// notTchar reports whether r is outside of tchar (RFC 9110 section 5.6.2).
func notTchar(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}
