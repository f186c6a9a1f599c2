package mcp

import (
	"encoding/json"
	"reflect"
	"sync"

	"github.com/mooring-mcp/mooring/mcp/internal/schema"
)

// A SchemaCache keeps the inferred and compiled schemas of tools, so that many servers with the
// same tools, such as one for each request, infer and compile them once
// (ServerOptions.SchemaCache). It grows with each different schema and never shrinks: it is not for
// schemas that are made up at run time. The zero SchemaCache is ready for use. Servers may share
// one from any goroutine.
type SchemaCache struct {
	inferred sync.Map // inferredKey → json.RawMessage
	compiled sync.Map // compiledKey → *schema.Schema
}

// NewSchemaCache returns an empty cache.
func NewSchemaCache() *SchemaCache { return new(SchemaCache) }

type inferredKey struct {
	t      reflect.Type
	output bool
}

type compiledKey struct {
	text      string
	unchecked bool
}

// infer returns the schema of t, as the input or the output of a tool. C may be nil.
func (c *SchemaCache) infer(t reflect.Type, output bool) (json.RawMessage, error) {
	key := inferredKey{t, output}
	if c != nil {
		if text, ok := c.inferred.Load(key); ok {
			return text.(json.RawMessage), nil
		}
	}
	infer := schema.Infer
	if output {
		infer = schema.InferOutput
	}
	text, err := infer(t)
	if err == nil && c != nil {
		c.inferred.Store(key, json.RawMessage(text))
	}
	return text, err
}

// compile returns the compiled schema text. Texts are compared, not the values that they were
// marshalled from, so that a host may change such a value between two servers. C may be nil.
func (c *SchemaCache) compile(text []byte, unchecked bool) (*schema.Schema, error) {
	key := compiledKey{string(text), unchecked}
	if c != nil {
		if s, ok := c.compiled.Load(key); ok {
			return s.(*schema.Schema), nil
		}
	}
	compile := schema.Compile
	if unchecked {
		compile = schema.CompileUnchecked
	}
	s, err := compile(text)
	if err == nil && c != nil {
		c.compiled.Store(key, s)
	}
	return s, err
}
