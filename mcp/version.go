package mcp

import "github.com/mooring-mcp/mooring/jsonrpc"

// A revision is all that differs from one dated version of the specification to
// another. Nothing else in the package compares versions.
type revision struct {
	index int    // its place in revisions
	name  string // the date that the wire calls it by

	requestMeta   bool // every request says version and capabilities in _meta
	headers       bool // header fields repeat parts of the body and must agree (SEP-2243)
	resultType    bool // results carry resultType
	serverInfo    bool // results carry the server's identity in _meta
	cacheHints    bool // six results carry ttlMs and cacheScope
	inputRequired bool // a handler's questions travel as a result of type input_required

	// resourceNotFound is the code for resources/read of an unknown URI.
	resourceNotFound jsonrpc.Code

	// code returns the code that is sent for one that a handler chose: some belong to
	// other revisions, and 0 is none.
	code func(jsonrpc.Code) jsonrpc.Code

	// status returns the HTTP status of an error response with the code.
	status func(jsonrpc.Code) int

	// methods are those that a client may call.
	methods [methodCount]bool
}

// revisionCount is how many revisions there are to prepare results for.
const revisionCount = 1

// revisions are those that are served, the newest first.
var revisions = [revisionCount]revision{{
	index:            0,
	name:             "2026-07-28",
	requestMeta:      true,
	headers:          true,
	resultType:       true,
	serverInfo:       true,
	cacheHints:       true,
	inputRequired:    true,
	resourceNotFound: jsonrpc.CodeInvalidParams,
	code:             code20260728,
	status:           status20260728,
	methods: [methodCount]bool{
		MethodDiscover:              true,
		MethodListTools:             true,
		MethodCallTool:              true,
		MethodListResources:         true,
		MethodListResourceTemplates: true,
		MethodReadResource:          true,
		MethodListPrompts:           true,
		MethodGetPrompt:             true,
		MethodComplete:              true,
		MethodListen:                true,
	},
}}

// newest returns the revision that speaks for messages of no known revision.
func newest() *revision { return &revisions[0] }

// revisionNamed returns the revision that the wire calls name, or nil.
func revisionNamed(name []byte) *revision {
	for i := range revisions {
		if string(name) == revisions[i].name {
			return &revisions[i]
		}
	}
	return nil
}

// Codes that only earlier revisions have: "Implementations MUST NOT emit" them
// (basic/index, "Error Codes").
const (
	codeResourceNotFound20251125 jsonrpc.Code = -32002
	codeURLElicitation20251125   jsonrpc.Code = -32042
)

// code20260728 returns the code that stands for one that a handler chose.
func code20260728(code jsonrpc.Code) jsonrpc.Code {
	switch code {
	case codeResourceNotFound20251125:
		return jsonrpc.CodeInvalidParams
	case codeURLElicitation20251125, 0:
		return jsonrpc.CodeInternalError
	}
	return code
}

// status20260728 returns the HTTP status for an error with the code, as
// basic/transports/streamable-http of 2026-07-28 has it: 404 for an unknown method,
// 400 for all that is wrong with the request. A fault of the server is told in the
// body of a 200: the request was served.
func status20260728(code jsonrpc.Code) int {
	switch code {
	case jsonrpc.CodeMethodNotFound:
		return 404
	case jsonrpc.CodeParseError, jsonrpc.CodeInvalidRequest, jsonrpc.CodeInvalidParams,
		CodeHeaderMismatch, CodeMissingRequiredClientCapability, CodeUnsupportedProtocolVersion:
		return 400
	}
	return 200
}

// appendSupported appends the JSON array of the names of the served revisions.
func appendSupported(dst []byte) []byte {
	dst = append(dst, '[')
	for i := range revisions {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jsonrpc.AppendString(dst, revisions[i].name)
	}
	return append(dst, ']')
}
