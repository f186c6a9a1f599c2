package mcp

import (
	"github.com/mooring-mcp/mooring/jsonrpc"
)

// upstreamError returns what e, an error of an upstream, is for the client of c.
func (c *Call) upstreamError(e *jsonrpc.Error) *jsonrpc.Error {
	out := *e
	if out.Data != nil && jsonrpc.Check(out.Data) != nil {
		out.Data = nil // it would spoil the message
	}
	switch out.Code {
	case CodeMissingRequiredClientCapabilities:
		// The backend declares what the client does. So this is either about the client, or the
		// backend's own fault.
		need, _ := jsonrpc.Member(out.Data, "requiredCapabilities")
		if capabilityBits(need)&^c.capabilities() == 0 {
			return internalOf(&out)
		}
	case CodeHeaderMismatch, CodeUnsupportedProtocolVersion, jsonrpc.CodeParseError:
		return internalOf(&out)
	case CodeResourceNotFound:
		if c.rev.code(out.Code) != out.Code && member(out.Data, "uri") == nil && c.method == MethodReadResource {
			out.Data = append(jsonrpc.AppendString([]byte(`{"uri":`), string(c.name)), '}')
		}
	case jsonrpc.CodeInvalidParams:
		if !c.rev.requestMeta && c.method == MethodReadResource && member(out.Data, "uri") != nil {
			out.Code = CodeResourceNotFound
		}
	}
	if code := c.rev.code(out.Code); code != out.Code {
		if out.Code = code; code == jsonrpc.CodeInternalError {
			out.Data = nil // it belongs to the code that the revision does not have
		}
	}
	return &out
}

// internalOf returns e as an internal error, which keeps the text for people.
func internalOf(e *jsonrpc.Error) *jsonrpc.Error {
	return &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "Internal error: the upstream server refused the request: " + e.Message}
}
