package mcp

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// The codes that MCP adds to those of JSON-RPC (basic/index, "Error Codes"). A handler may return
// any of them in every revision: a client gets the code that its revision has in its place.
const (
	// CodeHeaderMismatch means that a header field is missing, malformed or differs from the body.
	CodeHeaderMismatch = -32020
	// CodeMissingRequiredClientCapabilities means that the request needs a capability that its
	// client did not declare. The data is a [MissingRequiredClientCapabilityData].
	CodeMissingRequiredClientCapabilities = -32021
	// CodeUnsupportedProtocolVersion means that the server does not serve the request's revision.
	// The data is an [UnsupportedProtocolVersionData].
	CodeUnsupportedProtocolVersion = -32022
	// CodeResourceNotFound means that there is no such resource. Since 2026-07-28 clients get
	// [jsonrpc.CodeInvalidParams] in its place.
	CodeResourceNotFound = -32002
	// CodeURLElicitationRequired means that the user must visit URLs before the request can be
	// served. Only 2025-11-25 has it; clients of other revisions get an internal error. See
	// [URLElicitationRequiredError].
	CodeURLElicitationRequired = -32042
)

// ErrNotDelivered is returned for a notification that the transport did not take, because the
// client cannot take it or a limit is reached.
var ErrNotDelivered = errors.New("mcp: notification not delivered")

// ResourceNotFoundError returns the error with which a [ResourceHandler] reports that there is no
// resource uri. It is a *[jsonrpc.Error] with the URI in the data.
func ResourceNotFoundError(uri string) error { return resourceNotFound(uri) }

func resourceNotFound(uri string) *jsonrpc.Error {
	data := jsonrpc.AppendString([]byte(`{"uri":`), uri)
	return &jsonrpc.Error{Code: CodeResourceNotFound, Message: "Resource not found", Data: append(data, '}')}
}

// noResource returns the refusal of a request for uri in the revision of c.
func (c *Call) noResource(uri string) *jsonrpc.Error {
	e := resourceNotFound(uri)
	e.Code = c.rev.code(e.Code)
	return e
}

// URLElicitationRequiredError returns the error with which a handler reports that the user must
// visit the URLs of elicitations before the request can be served. It is a *[jsonrpc.Error], for
// clients of 2025-11-25. Handlers that return the elicitations as an [InputRequestMap] ask the
// clients of every revision that has elicitation by URL. It panics if an elicitation is nil, is not
// in URL mode or cannot be encoded, which are programming errors.
func URLElicitationRequiredError(elicitations []*ElicitParams) error {
	for _, e := range elicitations {
		if e == nil || e.mode() != ElicitModeURL {
			panic("mcp: URLElicitationRequiredError: an elicitation is not in URL mode")
		}
	}
	data, err := marshal(map[string]any{"elicitations": elicitations})
	if err != nil {
		panic(fmt.Sprintf("mcp: URLElicitationRequiredError: %v", err))
	}
	return &jsonrpc.Error{Code: CodeURLElicitationRequired, Message: "URL elicitation required", Data: data}
}

// MissingCapabilityError returns the error with which a handler reports that it needs capabilities
// that the client did not declare on this request. Need holds only what is missing.
func MissingCapabilityError(need *ClientCapabilities) error {
	data, err := json.Marshal(MissingRequiredClientCapabilityData{RequiredCapabilities: need})
	if err != nil {
		return fmt.Errorf("mcp: required capabilities: %w", err)
	}
	return missingCapability(data)
}

// missingCapability returns the error with the data, whose message names the capabilities.
func missingCapability(data []byte) *jsonrpc.Error {
	message, sep := "Missing required client capability", ": "
	need, _ := jsonrpc.Member(data, "requiredCapabilities")
	for name := range jsonrpc.Members(need) {
		message += sep + string(name)
		sep = ", "
	}
	return &jsonrpc.Error{Code: CodeMissingRequiredClientCapabilities, Message: message, Data: data}
}

// unsupportedVersion returns the refusal of a revision that is not in the set.
func (s servedSet) unsupportedVersion(requested []byte) *jsonrpc.Error {
	const longest = 128 // octets that are echoed
	requested = requested[:min(len(requested), longest)]
	data := append([]byte(nil), `{"supported":`...)
	data = s.appendNames(data)
	data = append(data, `,"requested":`...)
	data = jsonrpc.AppendString(data, string(requested))
	return &jsonrpc.Error{Code: CodeUnsupportedProtocolVersion, Message: "Unsupported protocol version", Data: append(data, '}')}
}

func invalidParams(message string) *jsonrpc.Error {
	return &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "Invalid params: " + message}
}

// maxShownName is the number of octets of an unknown name that a refusal repeats.
const maxShownName = 128

// unknown returns the refusal of a request for a feature of the kind, which does not exist.
func unknown(kind string, name []byte) *jsonrpc.Error {
	shown := string(name[:min(len(name), maxShownName)])
	return invalidParams("unknown " + kind + " " + strconv.Quote(shown))
}

func headerMismatch(message string) *jsonrpc.Error {
	return &jsonrpc.Error{Code: CodeHeaderMismatch, Message: "Header mismatch: " + message}
}

// These refusals have a fixed text. They are shared and must not be changed.
var (
	errResponse  = &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: "Invalid Request: a client may send only requests and notifications"}
	errNoSession = &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: "Invalid Request: the session id is missing"}
	errNoMethod  = &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound, Message: "Method not found"}
	errInternal  = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "Internal error"}

	errNoMeta        = invalidParams("_meta with " + MetaKeyProtocolVersion + " is required")
	errMeta          = invalidParams("_meta must be an object")
	errMetaVersion   = invalidParams(MetaKeyProtocolVersion + " must be a string")
	errNoCaps        = invalidParams(MetaKeyClientCapabilities + " is required")
	errCaps          = invalidParams(MetaKeyClientCapabilities + " must be an object of objects")
	errClientInfo    = invalidParams(MetaKeyClientInfo + " must be an object")
	errLogLevel      = invalidParams(MetaKeyLogLevel + " is not a logging level")
	errProgressToken = invalidParams("progressToken must be a string or an integer")
	errCursor        = invalidParams("unknown cursor")
	errSetLevel      = invalidParams("level is not a logging level")
	errLongURI       = invalidParams("uri is too long")
	errNotifications = invalidParams("notifications is required and must be an object")
	errState         = invalidParams("requestState is not valid for this request")
)

// protocolError returns the error response for an error that a handler returned. It has the code
// and the data of the *[jsonrpc.Error] in the chain of err if there is one, and is otherwise an
// internal error. The message is the text of err.
func protocolError(err error, rev *revision) *jsonrpc.Error {
	var wire *jsonrpc.Error
	if !errors.As(err, &wire) || wire == nil || isAskError(err) {
		return &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: err.Error()}
	}
	e := &jsonrpc.Error{Code: rev.code(wire.Code), Message: err.Error(), Data: wire.Data}
	if e.Data != nil && !json.Valid(e.Data) {
		e.Data = nil // it would spoil the message
	}
	return e
}
