// Package wirecheck holds tests to the official JSON schemas of MCP: every message
// that a test sees the server send must be valid in the revision that it was sent
// in.
//
// The schemas (schema/<revision>/schema.json of the specification's repository) are
// not part of this module. They are read from the folder that the environment
// variable MOORING_SCHEMA_DIR names, as 2026-07-28.json and so on. When it is not
// set, the check is skipped and says so; when it is set, the files must be there.
//
// The schemas leave much open. So a [Checker] also asserts what they cannot say:
// no member of an object twice, no member beside those of the envelope, none in
// features, content, params and results that the revision does not define, a result
// that is checked as what its resultType says, and only the error codes that the
// revision allows.
package wirecheck
