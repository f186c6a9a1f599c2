package mcp

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// A schemaFile is an official schema, which says what members are optional.
type schemaFile struct {
	t    *testing.T
	defs map[string]any
}

func openOptionals(t *testing.T, path string) *schemaFile {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Defs        map[string]any `json:"$defs"`
		Definitions map[string]any `json:"definitions"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Defs == nil {
		doc.Defs = doc.Definitions
	}
	return &schemaFile{t, doc.Defs}
}

// resolve returns the schema that v refers to, or v itself.
func (s *schemaFile) resolve(v map[string]any) map[string]any {
	for {
		ref, ok := v["$ref"].(string)
		if !ok {
			return v
		}
		v = s.defs[ref[strings.LastIndexByte(ref, '/')+1:]].(map[string]any)
	}
}

// definitionOf returns the definition of the message with the method, or nil if there is none.
func (s *schemaFile) definitionOf(method string) map[string]any {
	for name, v := range s.defs {
		def := v.(map[string]any)
		props, _ := def["properties"].(map[string]any)
		m, _ := props["method"].(map[string]any)
		if m["const"] == method && (strings.HasSuffix(name, "Request") || strings.HasSuffix(name, "Notification")) {
			return def
		}
	}
	return nil
}

func (s *schemaFile) requires(def map[string]any, name string) bool {
	required, _ := def["required"].([]any)
	return slices.Contains(required, any(name))
}

// optionals calls visit with the path of each optional member of def, which is at path, and of
// those in its required and optional objects.
func (s *schemaFile) optionals(def map[string]any, at []string, visit func([]string)) {
	def = s.resolve(def)
	if items, ok := def["items"].(map[string]any); ok && def["type"] == "array" {
		s.optionals(items, at, visit)
		return
	}
	props, _ := def["properties"].(map[string]any)
	for name, v := range props {
		prop := v.(map[string]any)
		path := append(slices.Clip(at), name)
		if !s.requires(def, name) {
			visit(path)
		}
		s.optionals(prop, path, visit)
	}
}
