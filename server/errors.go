package server

import (
	"errors"
	"fmt"
	"time"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

// ErrServerClosed is returned by Serve and ListenAndServe after Shutdown.
var ErrServerClosed = errors.New("server: closed")

// Reasons why the context of a call ends, as context.Cause returns them.
var (
	errClientGone  = errors.New("server: the client closed the connection")
	errCallTimeout = errors.New("server: the call took longer than its time limit")
	errShutdown    = errors.New("server: the server is shutting down")
)

// Errors that a client gets in place of a result.
var (
	errOverload = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "too many calls in flight"}
	errFlooded  = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "too many bytes wait to be served"}
)

func errTooLarge(n int) *jsonrpc.Error {
	return &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: fmt.Sprintf("the result of %d bytes exceeds the server's limit", n)}
}

func (o *Options) errTimeout() *jsonrpc.Error {
	return &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "the call took longer than the server's limit of " + o.CallTimeout.Round(time.Millisecond).String()}
}

// limitResponse returns msg and code, or an error in their place if msg is longer than
// MaxResponse.
func (o *Options) limitResponse(call *mcp.Call, msg []byte, code jsonrpc.Code) ([]byte, jsonrpc.Code) {
	if len(msg) <= o.MaxResponse {
		return msg, code
	}
	return jsonrpc.AppendError(nil, call.ID(), errTooLarge(len(msg))), jsonrpc.CodeInternalError
}

// asError returns err as the JSON-RPC error that responds to a message which could not be decoded.
// It returns nil for nil.
func asError(err error) *jsonrpc.Error {
	var e *jsonrpc.Error
	if err != nil && !errors.As(err, &e) {
		e = &jsonrpc.Error{Code: jsonrpc.CodeParseError, Message: "parse error"}
	}
	return e
}
