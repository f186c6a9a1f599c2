package mcp

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// The codes that MCP adds to those of JSON-RPC (basic/index, "Error Codes").
const (
	// CodeHeaderMismatch: a header field is missing, malformed or says other than
	// the body.
	CodeHeaderMismatch jsonrpc.Code = -32020
	// CodeMissingRequiredClientCapability: the request needs what its client did not
	// declare. The data is a [MissingRequiredClientCapabilityData].
	CodeMissingRequiredClientCapability jsonrpc.Code = -32021
	// CodeUnsupportedProtocolVersion: the request is of a revision that is not
	// served. The data is an [UnsupportedProtocolVersionData].
	CodeUnsupportedProtocolVersion jsonrpc.Code = -32022
)

// ErrNotDelivered is returned for a notification that the transport did not take:
// the client cannot take it, or a bound is reached.
var ErrNotDelivered = errors.New("mcp: notification not delivered")

// ResourceNotFoundError returns the error by which a [ResourceHandler] says that
// there is no resource uri. The client sees the code of its revision, and the URI
// in the data.
func ResourceNotFoundError(uri string) error { return &resourceNotFound{uri: uri} }

type resourceNotFound struct{ uri string }

func (e *resourceNotFound) Error() string { return "mcp: resource not found: " + e.uri }

func (e *resourceNotFound) wire(rev *revision) *jsonrpc.Error {
	data := jsonrpc.AppendString([]byte(`{"uri":`), e.uri)
	return &jsonrpc.Error{Code: rev.resourceNotFound, Message: "Resource not found", Data: append(data, '}')}
}

// MissingCapabilityError returns the error by which a handler says that it needs a
// capability that the client did not declare on this request. Need holds only what
// is missing.
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

// unsupportedVersion is the refusal of a revision that is not served.
func unsupportedVersion(requested []byte) *jsonrpc.Error {
	const longest = 128 // of what is echoed
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

// The refusals whose text is fixed. They are shared and must not be changed.
var (
	errResponse  = &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: "Invalid Request: a client sends requests and notifications only"}
	errNoSession = &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: "Invalid Request: the session id is missing"}
	errNoMethod  = &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound, Message: "Method not found"}
	errInternal  = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "Internal error"}

	errNoMeta        = invalidParams("_meta with " + MetaKeyProtocolVersion + " is required")
	errMeta          = invalidParams("_meta must be an object")
	errMetaVersion   = invalidParams(MetaKeyProtocolVersion + " must be a string")
	errNoCaps        = invalidParams(MetaKeyClientCapabilities + " is required")
	errCaps          = invalidParams(MetaKeyClientCapabilities + " must be an object of objects")
	errClientInfo    = invalidParams(MetaKeyClientInfo + " must be an object")
	errLogLevel      = invalidParams(MetaKeyLogLevel + " is no logging level")
	errProgressToken = invalidParams("progressToken must be a string or an integer")
	errCursor        = invalidParams("unknown cursor")
	errState         = invalidParams("requestState is not valid for this request")
)

// protocolError returns what the client sees of an error that a handler returned as
// a protocol error: its own *[jsonrpc.Error] if there is one in the chain, otherwise
// an internal error with the handler's text.
func protocolError(err error, rev *revision) *jsonrpc.Error {
	var wire *jsonrpc.Error
	if errors.As(err, &wire) && wire != nil {
		e := *wire
		e.Code = rev.code(e.Code)
		if e.Data != nil && !json.Valid(e.Data) {
			e.Data = nil // would spoil the message
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
