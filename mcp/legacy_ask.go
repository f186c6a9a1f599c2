package mcp

import (
	"errors"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// AppendAsk appends the request that asks a. Id is the JSON text of an id that no other request
// from the server has in that session.
func AppendAsk(dst, id []byte, a *Ask) []byte {
	return jsonrpc.AppendRequest(dst, id, a.Method, a.Params)
}

// AppendAskAnswer appends a member to the object that [Call.Resume] takes, after a comma unless it
// is the first: the answer that m, a response of the client, gives to the ask with the key. Dst
// has the object from its opening brace on, and the caller closes it. An error response is an
// answer too; it ends the call.
func AppendAskAnswer(dst []byte, key string, m *jsonrpc.Envelope) []byte {
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
	// No method has a string as its result, so this cannot be taken for one.
	return jsonrpc.AppendString(dst, "the answer is not an object")
}

// Abandon answers a call whose questions will get no answer, because the client took too long or
// its session is over. Reason is for the client. Abandon does nothing unless the call is asking.
// Only one of Abandon and Resume may be called.
func (c *Call) Abandon(w Sink, reason string) {
	if !c.asking {
		return
	}
	c.asking = false
	if c.forward != nil {
		c.forward.cancel(errors.New("mcp: the client did not answer: " + reason))
	}
	c.unanswered(w, reason)
}

// unanswered answers for a handler whose question got no answer. For a tool the answer is a
// result, so that the model sees it.
func (c *Call) unanswered(w Sink, reason string) {
	text := "the client did not answer: " + reason
	if c.method != MethodCallTool {
		c.fail(w, &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "Internal error: " + text})
		return
	}
	out := toolOutput{res: &CallToolResult{Content: []Content{&TextContent{Text: text}}, IsError: true}}
	c.finishTool(w, out)
}
