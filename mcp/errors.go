package mcp

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// The codes that MCP adds to those of JSON-RPC (basic/index, "Error Codes").
const (
	// CodeHeaderMismatch means that a header field is missing, malformed or differs from the body.
	CodeHeaderMismatch jsonrpc.Code = -32020
	// CodeMissingRequiredClientCapability means that the request needs a capability that its client
	// did not declare. The data is a [MissingRequiredClientCapabilityData].
	CodeMissingRequiredClientCapability jsonrpc.Code = -32021
	// CodeUnsupportedProtocolVersion means that the server does not serve the request's revision.
	// The data is an [UnsupportedProtocolVersionData].
	CodeUnsupportedProtocolVersion jsonrpc.Code = -32022
)

// ErrNotDelivered is returned for a notification that the transport did not take, because the
// client cannot take it or a limit is reached.
var ErrNotDelivered = errors.New("mcp: notification not delivered")

// ResourceNotFoundError returns the error with which a [ResourceHandler] reports that there is no
// resource uri. The client gets the code of its revision, and the URI in the data.
func ResourceNotFoundError(uri string) error { return &resourceNotFound{uri: uri} }

type resourceNotFound struct{ uri string }

func (e *resourceNotFound) Error() string { return "mcp: resource not found: " + e.uri }

func (e *resourceNotFound) wire(rev *revision) *jsonrpc.Error {
	data := jsonrpc.AppendString([]byte(`{"uri":`), e.uri)
	return &jsonrpc.Error{Code: rev.resourceNotFound, Message: "Resource not found", Data: append(data, '}')}
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

func missingCapability(data []byte) *jsonrpc.Error {
	return &jsonrpc.Error{Code: CodeMissingRequiredClientCapability, Message: "Missing required client capability", Data: data}
}

// unsupportedVersion returns the refusal of a revision that is not served.
func unsupportedVersion(requested []byte) *jsonrpc.Error {
	const longest = 128 // octets that are echoed
	requested = requested[:min(len(requested), longest)]
	data := append([]byte(nil), `{"supported":`...)
	data = appendSupported(data)
	data = append(data, `,"requested":`...)
	data = jsonrpc.AppendString(data, string(requested))
	return &jsonrpc.Error{Code: CodeUnsupportedProtocolVersion, Message: "Unsupported protocol version", Data: append(data, '}')}
}

func invalidParams(message string) *jsonrpc.Error {
	return &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "Invalid params: " + message}
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
	errState         = invalidParams("requestState is not valid for this request")
)

// protocolError returns the error response for an error that a handler returned: the
// *[jsonrpc.Error] in its chain if there is one, and otherwise an internal error with the
// handler's text.
func protocolError(err error, rev *revision) *jsonrpc.Error {
	var wire *jsonrpc.Error
	if errors.As(err, &wire) && wire != nil {
		e := *wire
		e.Code = rev.code(e.Code)
		if e.Data != nil && !json.Valid(e.Data) {
			e.Data = nil // it would spoil the message
		}
		return &e
	}
	var missing *resourceNotFound
	if errors.As(err, &missing) {
		return missing.wire(rev)
	}
	return &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: err.Error()}
}

// isProtocolError reports whether err asks for an error response even where other
// errors become part of a result.
func isProtocolError(err error) bool {
	var wire *jsonrpc.Error
	var missing *resourceNotFound
	return errors.As(err, &wire) || errors.As(err, &missing)
}
