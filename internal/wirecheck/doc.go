// Package wirecheck checks tests against the official JSON schemas of MCP: every message that a
// test sees the server send must be valid in the revision that it was sent in.
//
// The schemas (schema/<revision>/schema.json of the specification's repository) are not part of
// this module. They are read from the directory that the environment variable MOORING_SCHEMA_DIR
// names, as 2026-07-28.json and so on. If it is not set, the check is skipped and says so; if it is
// set, the files must exist.
//
// The schemas leave much open. A [Checker] therefore also checks what they cannot express: an
// object has no duplicate members; the envelope has no further members; features, content, params
// and results have only members that the revision defines; a result is checked as what its
// resultType says; and only the error codes that the revision allows are used.
package wirecheck
