// Package schema compiles JSON Schemas and validates JSON texts against them.
//
// The dialect is JSON Schema 2020-12 unless "$schema" names another that the
// judge supports (draft-04, -06, -07 and 2019-09); "format" is an annotation in
// 2020-12 and 2019-09. Patterns are those of ECMA-262, translated to RE2.
//
// A Schema has two validators. The judge is
// github.com/santhosh-tekuri/jsonschema/v6: it supports every keyword, works on
// decoded values and writes the error texts. The fast path is a compact tree of
// nodes made from the judge's own compiled schema, so that both check the same
// schema. It walks the bytes of the value once and allocates nothing. It
// answers yes, no or unsure, and only a yes is final: in the other cases the
// judge decides. A schema that uses a keyword outside of the fast path's
// subset (see compileNode) is left to the judge alone.
//
// Nothing is ever fetched or read from disk: a reference must resolve within
// the schema or name a metaschema that is built into the judge.
//
// Neither schemas nor values are trusted. Compile limits the size of the schema
// (limits.go) and refuses one on which the judge's work could grow exponentially
// (bounds.go). Validate refuses numbers whose exact comparison would cost more
// than reading their text (scan.go).
package schema
