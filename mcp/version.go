package mcp

import (
	"fmt"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A revision holds all that differs between the dated versions of the specification. Nothing else
// in the package compares versions.
type revision struct {
	index int    // in revisions
	name  string // the date that names it on the wire
	tag   byte   // names it in the binary form of a session; 0 if it is modern and has no sessions

	requestMeta        bool // version and capabilities are in the _meta of requests, not in a session
	headers            bool // header fields repeat parts of the body and must agree (SEP-2243)
	resultType         bool // results carry resultType
	serverInfo         bool // results carry the server's identity in _meta
	cacheHints         bool // six results carry ttlMs and cacheScope
	inputRequired      bool // a handler's questions travel as a result of type input_required
	batches            bool // a session may send arrays of messages
	resumableFromStart bool // streams of a session can be resumed before their first message
	nullID             bool // an error response to an unknown request has the id null, not none
	inputResult        bool // a result says what is wrong with a tool's arguments (SEP-1303)

	wire wire

	// asks are the client capabilities that the revision has.
	asks CapabilityBits

	// code returns the code that is sent for the one that a handler chose. Some codes belong to
	// other revisions, and 0 is not a code.
	code func(jsonrpc.Code) jsonrpc.Code

	// status returns the HTTP status of an error response with the code.
	status func(jsonrpc.Code) int

	// methods are the methods that a client may call.
	methods *[methodCount]bool
}

// A wire says what a revision can write of the values that hosts give. Values that the revision
// has no member for are left out, and content that it has no type for is written as text.
type wire struct {
	titles          bool // title, in addition to name
	meta            bool // _meta of features and content; every revision has that of results
	icons           bool // icons
	profile         bool // description and websiteUrl of an implementation
	toolAnnotations bool // annotations of tools
	lastModified    bool // lastModified of annotations
	audio           bool // content of type audio
	resourceLinks   bool // content of type resource_link
	progressMessage bool // message of notifications/progress
	completions     bool // the capability completions
	extensions      bool // the capability extensions
	schemas         bool // any schema as the schema of a property; before that, only objects
	elicitMode      bool // mode of elicitations, and arrays in their forms
	manyBlocks      bool // sampling messages with several blocks
	elicitID        bool // elicitations by URL have an id
	structured      structuredKind
}

// all reports whether the revision can write everything.
func (w *wire) all() bool { return w.structured == structuredAny && w.extensions }

// structuredKind says what structured content may be.
type structuredKind uint8

const (
	structuredNone structuredKind = iota
	structuredObject
	structuredAny
)

// revisionCount is the number of revisions.
const revisionCount = 5

// revisions are the revisions that are served, the newest first.
var revisions = [revisionCount]revision{{
	index:         0,
	name:          "2026-07-28",
	requestMeta:   true,
	headers:       true,
	resultType:    true,
	serverInfo:    true,
	cacheHints:    true,
	inputRequired: true,
	inputResult:   true,
	code:          code20260728,
	status:        status20260728,
	methods:       &modernMethods,
	asks:          asks20251125,
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
	index:   2,
	name:    "2025-06-18",
	nullID:  true,
	tag:     3,
	code:    codeLegacy,
	status:  statusLegacy,
	methods: &legacyMethods,
	asks:    asks20250618,
	wire: wire{
		titles: true, meta: true, toolAnnotations: true, lastModified: true,
		audio: true, resourceLinks: true, progressMessage: true, completions: true, structured: structuredObject,
	},
}, {
	index:   3,
	name:    "2025-03-26",
	nullID:  true,
	tag:     2,
	batches: true,
	code:    codeLegacy,
	status:  statusLegacy,
	methods: &legacyMethods,
	asks:    asks20241105,
	wire:    wire{toolAnnotations: true, audio: true, progressMessage: true, completions: true},
}, {
	index:   4,
	name:    "2024-11-05",
	nullID:  true,
	tag:     1,
	code:    codeLegacy,
	status:  statusLegacy,
	methods: &legacyMethods,
	asks:    asks20241105,
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

// newest returns the revision whose rules apply to messages of no known revision.
func newest() *revision { return &revisions[0] }

// revisionNamed returns the revision with the name, or nil.
func revisionNamed(name []byte) *revision {
	for i := range revisions {
		if string(name) == revisions[i].name {
			return &revisions[i]
		}
	}
	return nil
}

// code20260728 returns the code that is sent for the one that a handler chose. Codes of earlier
// revisions are replaced: "Implementations MUST NOT emit" them (basic/index, "Error Codes").
func code20260728(code jsonrpc.Code) jsonrpc.Code {
	switch code {
	case CodeResourceNotFound:
		return jsonrpc.CodeInvalidParams
	case CodeURLElicitationRequired, 0:
		return jsonrpc.CodeInternalError
	}
	return code
}

// status20260728 returns the HTTP status for an error with the code, following
// basic/transports/streamable-http of 2026-07-28: 404 for an unknown method, and 400 for whatever
// else is wrong with the request. An error of the server travels in the body of a 200, because the
// request was served.
func status20260728(code jsonrpc.Code) int {
	switch code {
	case jsonrpc.CodeMethodNotFound:
		return 404
	case jsonrpc.CodeParseError, jsonrpc.CodeInvalidRequest, jsonrpc.CodeInvalidParams,
		CodeHeaderMismatch, CodeMissingRequiredClientCapabilities, CodeUnsupportedProtocolVersion:
		return 400
	}
	return 200
}

// code20251125 returns the code that is sent for the one that a handler chose.
func code20251125(code jsonrpc.Code) jsonrpc.Code {
	if code == 0 {
		return jsonrpc.CodeInternalError
	}
	return code
}

// codeLegacy is like code20251125, for revisions without elicitation by URL.
func codeLegacy(code jsonrpc.Code) jsonrpc.Code {
	if code == CodeURLElicitationRequired {
		return jsonrpc.CodeInternalError
	}
	return code20251125(code)
}

// statusLegacy returns the HTTP status for an error with the code. Any request that could be read
// as one gets a 200, whatever the body says. An unsupported version is one in the header field:
// "it MUST respond with 400 Bad Request" (basic/transports of 2025-06-18, "Protocol Version
// Header").
func statusLegacy(code jsonrpc.Code) int {
	switch code {
	case jsonrpc.CodeParseError, jsonrpc.CodeInvalidRequest, CodeUnsupportedProtocolVersion:
		return 400
	}
	return 200
}

// SupportedProtocolVersions returns the names of the revisions that this package serves, the newest
// first. A server serves all of them unless ServerOptions.SupportedProtocolVersions says otherwise.
func SupportedProtocolVersions() []string {
	var all servedSet
	return all.names()
}

// A servedSet is a set of revisions, as a bit for each index that is not in it: the zero servedSet
// has all revisions.
type servedSet uint8

// servedRevisions returns the set of the revisions with the names. It returns an error if one has
// another name. No names mean all revisions.
func servedRevisions(names []string) (servedSet, error) {
	var in uint8
	for _, name := range names {
		rev := revisionNamed([]byte(name))
		if rev == nil {
			return 0, fmt.Errorf("unknown protocol version %q", name)
		}
		in |= 1 << rev.index
	}
	if in == 0 {
		return 0, nil
	}
	return servedSet(^in), nil
}

// has reports whether rev is in the set. Nil is not.
func (s servedSet) has(rev *revision) bool { return rev != nil && s&(1<<rev.index) == 0 }

// modern returns the modern revision with the name, or nil.
func (s servedSet) modern(name []byte) *revision {
	if rev := modernNamed(name); s.has(rev) {
		return rev
	}
	return nil
}

// legacy returns the legacy revision with the name, or nil.
func (s servedSet) legacy(name string) *revision {
	if rev := legacyNamed([]byte(name)); s.has(rev) {
		return rev
	}
	return nil
}

// newestLegacy returns the revision for clients that ask for one that is not in the set: "the
// server MUST respond with another protocol version it supports. This SHOULD be the latest"
// (basic/lifecycle of 2025-11-25). It returns nil if the set has no legacy revision.
func (s servedSet) newestLegacy() *revision {
	for i := range revisions {
		if rev := &revisions[i]; rev.tag != 0 && s.has(rev) {
			return rev
		}
	}
	return nil
}

// names returns the names of the revisions, the newest first.
func (s servedSet) names() (names []string) {
	for i := range revisions {
		if rev := &revisions[i]; s.has(rev) {
			names = append(names, rev.name)
		}
	}
	return names
}

// appendNames appends the JSON array of the names.
func (s servedSet) appendNames(dst []byte) []byte {
	dst = append(dst, '[')
	for i, name := range s.names() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jsonrpc.AppendString(dst, name)
	}
	return append(dst, ']')
}
