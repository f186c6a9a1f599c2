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

// These are the reasons why the context of a call ends, as returned by context.Cause.
var (
	errClientGone  = errors.New("server: the client closed the connection")
	errCallTimeout = errors.New("server: the call took longer than its time limit")
	errShutdown    = errors.New("server: the server is shutting down")
)

// These are errors that a client gets instead of a result.
var (
	errOverload = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "too many calls in flight"}
	errInternal = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "internal error"}
	errFlooded  = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "too many bytes wait to be served"}
)

func errTooLarge(n int) *jsonrpc.Error {
	return &jsonrpc.Error{
		Code:    jsonrpc.CodeInternalError,
		Message: fmt.Sprintf("the result of %d bytes exceeds the server's limit", n),
	}
}

func (o *Options) errTimeout() *jsonrpc.Error {
	limit := o.CallTimeout.Round(time.Millisecond)
	return &jsonrpc.Error{
		Code:    jsonrpc.CodeInternalError,
		Message: "the call took longer than the server's limit of " + limit.String(),
	}
}

// limitResponse returns msg and code, or an error in their place if msg is longer than MaxResponse.
func (o *Options) limitResponse(call *mcp.Call, msg []byte, code jsonrpc.Code) ([]byte, jsonrpc.Code) {
	if len(msg) <= o.MaxResponse {
		return msg, code
	}
	return jsonrpc.AppendError(nil, call.ID(), errTooLarge(len(msg))), jsonrpc.CodeInternalError
}

// asError returns the JSON-RPC error for a message that could not be decoded because of err. It
// returns nil if err is nil.
func asError(err error) *jsonrpc.Error {
	var e *jsonrpc.Error
	if err != nil && !errors.As(err, &e) {
		e = &jsonrpc.Error{Code: jsonrpc.CodeParseError, Message: "parse error"}
	}
	return e
}

const shuttingDown = "the server is shutting down"
