package mcp

import "github.com/mooring-mcp/mooring/jsonrpc"

// A revision is all that differs from one dated version of the specification to
// another. Nothing else in the package compares versions.
type revision struct {
	index int    // its place in revisions
	name  string // the date that the wire calls it by
	tag   byte   // what it is in the binary form of a session; 0: it has none, and is modern

	requestMeta        bool // every request says version and capabilities in _meta; otherwise a session does
	headers            bool // header fields repeat parts of the body and must agree (SEP-2243)
	resultType         bool // results carry resultType
	serverInfo         bool // results carry the server's identity in _meta
	cacheHints         bool // six results carry ttlMs and cacheScope
	inputRequired      bool // a handler's questions travel as a result of type input_required
	batches            bool // a session may send arrays of messages
	resumableFromStart bool // streams of a session can be resumed before their first message
	inputResult        bool // what is wrong with a tool's arguments is told as a result (SEP-1303)

	wire wire

	// asks are the capabilities that the revision has for clients.
	asks CapabilityBits

	// resourceNotFound is the code for resources/read of an unknown URI.
	resourceNotFound jsonrpc.Code

	// code returns the code that is sent for one that a handler chose: some belong to
	// other revisions, and 0 is none.
	code func(jsonrpc.Code) jsonrpc.Code

	// status returns the HTTP status of an error response with the code.
	status func(jsonrpc.Code) int

	// methods are those that a client may call.
	methods *[methodCount]bool
}

// A wire says what a revision can write down of what hosts give: what it has no member
// for is left out, and what it has no kind of content for is told as text.
type wire struct {
	titles          bool // title, beside name
	meta            bool // _meta of features and content; that of results is as old as MCP
	icons           bool // icons
	profile         bool // description and websiteUrl of an implementation
	toolAnnotations bool // annotations of tools
	lastModified    bool // lastModified of annotations
	audio           bool // content of type audio
	resourceLinks   bool // content of type resource_link
	progressMessage bool // message of notifications/progress
	completions     bool // the capability completions
	extensions      bool // the capabilities extensions
	schemas         bool // any schema in the places of schemas; before, only objects
	elicitMode      bool // mode of elicitations, and arrays in their forms
	manyBlocks      bool // sampling messages of several blocks
	elicitID        bool // elicitations by URL have an id
	structured      structuredKind
}

// all reports whether there is nothing to leave out.
func (w *wire) all() bool { return w.structured == structuredAny && w.extensions }

// structuredKind says what structured content may be.
type structuredKind uint8

const (
	structuredNone structuredKind = iota
	structuredObject
	structuredAny
)

// revisionCount is how many revisions there are to prepare results for.
const revisionCount = 5

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
	inputResult:      true,
	resourceNotFound: jsonrpc.CodeInvalidParams,
	code:             code20260728,
	status:           status20260728,
	methods:          &modernMethods,
	asks:             asks20251125,
	wire: wire{
		titles: true, meta: true, icons: true, profile: true, toolAnnotations: true, lastModified: true,
		audio: true, resourceLinks: true, progressMessage: true, completions: true, extensions: true,
		schemas: true, elicitMode: true, manyBlocks: true, structured: structuredAny,
	},
}, {
	index:              1,
	name:               "2025-11-25",
	tag:                4,
	resumableFromStart: true,
	inputResult:        true,
	resourceNotFound:   codeResourceNotFound20251125,
	code:               code20251125,
	status:             statusLegacy,
	methods:            &legacyMethods,
	asks:               asks20251125,
	wire: wire{
		titles: true, meta: true, icons: true, profile: true, toolAnnotations: true, lastModified: true,
		audio: true, resourceLinks: true, progressMessage: true, completions: true,
		schemas: true, elicitMode: true, manyBlocks: true, elicitID: true, structured: structuredObject,
	},
}, {
	index:            2,
	name:             "2025-06-18",
	tag:              3,
	resourceNotFound: codeResourceNotFound20251125,
	code:             codeLegacy,
	status:           statusLegacy,
	methods:          &legacyMethods,
	asks:             asks20250618,
	wire: wire{
		titles: true, meta: true, toolAnnotations: true, lastModified: true,
		audio: true, resourceLinks: true, progressMessage: true, completions: true, structured: structuredObject,
	},
}, {
	index:            3,
	name:             "2025-03-26",
	tag:              2,
	batches:          true,
	resourceNotFound: codeResourceNotFound20251125,
	code:             codeLegacy,
	status:           statusLegacy,
	methods:          &legacyMethods,
	asks:             asks20241105,
	wire:             wire{toolAnnotations: true, audio: true, progressMessage: true, completions: true},
}, {
	index:            4,
	name:             "2024-11-05",
	tag:              1,
	resourceNotFound: codeResourceNotFound20251125,
	code:             codeLegacy,
	status:           statusLegacy,
	methods:          &legacyMethods,
	asks:             asks20241105,
}}

const (
	asks20241105 = CapabilityRoots | CapabilityRootsListChanged | CapabilitySampling
	asks20250618 = asks20241105 | CapabilityElicitation | CapabilityElicitationForm
	asks20251125 = asks20250618 | CapabilitySamplingTools | CapabilitySamplingContext | CapabilityElicitationURL
)

var modernMethods = [methodCount]bool{
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
}

// The revisions that have sessions have the same methods.
var legacyMethods = [methodCount]bool{
	MethodInitialize:            true,
	MethodPing:                  true,
	MethodListTools:             true,
	MethodCallTool:              true,
	MethodListResources:         true,
	MethodListResourceTemplates: true,
	MethodReadResource:          true,
	MethodListPrompts:           true,
	MethodGetPrompt:             true,
	MethodComplete:              true,
	MethodSetLevel:              true,
	MethodSubscribe:             true,
	MethodUnsubscribe:           true,
}

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

// code20251125 returns the code that stands for one that a handler chose.
func code20251125(code jsonrpc.Code) jsonrpc.Code {
	if code == 0 {
		return jsonrpc.CodeInternalError
	}
	return code
}

// codeLegacy is as code20251125 for revisions without elicitation by URL.
func codeLegacy(code jsonrpc.Code) jsonrpc.Code {
	if code == codeURLElicitation20251125 {
		return jsonrpc.CodeInternalError
	}
	return code20251125(code)
}

// statusLegacy returns the HTTP status for an error with the code: a request that could
// be read as one is answered in the body of a 200, whatever the answer. An unsupported
// version is one of the header field: "it MUST respond with 400 Bad Request"
// (basic/transports of 2025-06-18, "Protocol Version Header").
func statusLegacy(code jsonrpc.Code) int {
	switch code {
	case jsonrpc.CodeParseError, jsonrpc.CodeInvalidRequest, CodeUnsupportedProtocolVersion:
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
