package mcp

import (
	"github.com/mooring-mcp/mooring/jsonrpc"
)

// AppendAsk appends the request that asks a. Id is the JSON text of an id that no
// other request of the session to its client has.
func AppendAsk(dst, id []byte, a *Ask) []byte {
	return jsonrpc.AppendRequest(dst, id, a.Method, a.Params)
}

// AppendAskAnswer appends a member to the object that [Call.Resume] takes, with the
// comma before it if there is one already: what m, a response of the client, answers to
// the ask of the key. The object begins with its brace in dst, and the caller closes
// it. An error is written down too: it ends the call.
func AppendAskAnswer(dst []byte, key string, m *jsonrpc.Message) []byte {
	if n := len(dst); n > 0 && dst[n-1] != '{' {
		dst = append(dst, ',')
	}
	dst = append(jsonrpc.AppendString(dst, key), ':')
	switch {
	case m.Kind == jsonrpc.KindResult && isObject(m.Result):
		return append(dst, m.Result...)
	case m.Kind == jsonrpc.KindErrorResponse:
		return jsonrpc.AppendString(dst, m.ErrorObject().Message)
	}
	// A string is no result of any method, and so cannot be taken for one.
	return jsonrpc.AppendString(dst, "the answer is not an object")
}

// Abandon answers a call that asked and will not be answered: the client took too long,
// or its session is gone. Reason is for the client. It does nothing unless the call is
// asking; either it or Resume may be called, not both.
func (c *Call) Abandon(w Sink, reason string) {
	if !c.asking {
		return
	}
	c.asking = false
	c.unanswered(w, reason)
}

// unanswered answers for a handler whose question got no answer. The model can act upon
// it, so that of a tool is a result.
func (c *Call) unanswered(w Sink, reason string) {
	text := "the client did not answer: " + reason
	if c.method != MethodCallTool {
		c.fail(w, &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "Internal error: " + text})
		return
	}
	out := toolOutput{res: &CallToolResult{Content: []Content{&TextContent{Text: text}}, IsError: true}}
	c.finishTool(w, out)
}
