package jsonrpc

import "encoding/json"

// A Code is the code of a JSON-RPC error object. The codes of MCP belong to
// package mcp.
type Code = int64

// These are the codes of JSON-RPC 2.0, section 5.1.
const (
	CodeParseError     = -32700 // the text is not a JSON value that this package accepts
	CodeInvalidRequest = -32600 // the text is JSON, but not a JSON-RPC message
	CodeMethodNotFound = -32601
	CodeInvalidParams  = -32602
	CodeInternalError  = -32603
)

// An Error is the error object of an error response (section 5.1) and a Go error.
// Errors that this package returns are shared and must not be changed.
type Error struct {
	Code    Code            `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"` // valid JSON, or nil for no data member
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Is reports whether target is an *Error with the code of e, for [errors.Is].
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t != nil && t.Code == e.Code
}

// These are the refusals of Decode and DecodeBatch.
var (
	errSyntax    = &Error{Code: CodeParseError, Message: "Parse error: not a JSON text"}
	errUTF8      = &Error{Code: CodeParseError, Message: "Parse error: not valid UTF-8"}
	errDepth     = &Error{Code: CodeParseError, Message: "Parse error: nested too deeply"}
	errDuplicate = &Error{Code: CodeParseError, Message: "Parse error: an object names a member twice"}
	errSize      = &Error{Code: CodeParseError, Message: "Parse error: text too long"}

	errNotObject  = &Error{Code: CodeInvalidRequest, Message: "Invalid Request: a message must be an object"}
	errVersion    = &Error{Code: CodeInvalidRequest, Message: `Invalid Request: jsonrpc must be "2.0"`}
	errCase       = &Error{Code: CodeInvalidRequest, Message: "Invalid Request: member names are case-sensitive"}
	errID         = &Error{Code: CodeInvalidRequest, Message: "Invalid Request: id must be a string or an integer"}
	errMethod     = &Error{Code: CodeInvalidRequest, Message: "Invalid Request: method must be a string"}
	errParams     = &Error{Code: CodeInvalidRequest, Message: "Invalid Request: params must be an object"}
	errNoKind     = &Error{Code: CodeInvalidRequest, Message: "Invalid Request: neither method, result nor error"}
	errMixed      = &Error{Code: CodeInvalidRequest, Message: "Invalid Request: method, result and error exclude each other"}
	errResultID   = &Error{Code: CodeInvalidRequest, Message: "Invalid Request: a result needs an id"}
	errRespParams = &Error{Code: CodeInvalidRequest, Message: "Invalid Request: a response has no params"}
	errErrorShape = &Error{Code: CodeInvalidRequest, Message: "Invalid Request: error must have an integer code and a message"}
	errNotBatch   = &Error{Code: CodeInvalidRequest, Message: "Invalid Request: a batch must be an array"}
	errEmptyBatch = &Error{Code: CodeInvalidRequest, Message: "Invalid Request: empty batch"}
)

// scanError returns the refusal for a negative result of the scanner.
func scanError(i int) *Error {
	switch i {
	case badDepth:
		return errDepth
	case badName:
		return errDuplicate
	}
	return errSyntax
}
