package mcp

import (
	"context"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// In revisions without input_required results, a server asks its client by sending requests of its
// own on the stream of the call. That needs a transport that can send them and that notices when
// they are answered: a [Requester]. The handler does not see the difference: it returns its
// questions and runs again with the answers. No goroutine waits in between.

// maxAskRounds bounds how often a handler may run again in one call, for a client whose
// answers never satisfy it.
const maxAskRounds = 16

// Resume runs the handler of a call again whose Run ended by [Requester.Request].
// Responses is the JSON object of the answers under the keys of the asks, made by
// [AppendAskAnswer]. If one is missing or an error, the call is answered without its
// handler, for to ask again would only be refused again. Resume may be called on
// another goroutine than Run. The message and responses must stay as they are until it
// has returned.
func (c *Call) Resume(ctx context.Context, w Sink, responses []byte) {
	if !c.asking {
		return
	}
	for i := range c.asks {
		key := c.asks[i].key
		answer := member(responses, key)
		if isObject(answer) {
			continue
		}
		reason, ok := jsonrpc.StringValue(answer)
		if !ok {
			reason = "there is no answer to " + key
		}
		c.Abandon(w, reason)
		return
	}
	c.asking = false
	c.p.inputResponses = responses
	c.Run(ctx, w)
}

// ask asks by requests. A state without requests is for the client of a revision with
// input_required results to bring back at once, so that the handler runs again at once.
func (c *Call) ask(ctx context.Context, w Sink, requests InputRequestMap, state string) {
	if c.asked >= maxAskRounds {
		c.fail(w, errRounds)
		return
	}
	asks, asked, err := c.rev.wire.questions(requests)
	if err != nil {
		c.failEncoding(w, err)
		return
	}
	r, ok := w.(Requester)
	switch {
	case len(asks) == 0 && state != "":
		c.state, c.asks = heldState{text: state, present: true}, nil
		c.p.inputResponses = nil
		c.runAgain(ctx, w)
		return
	case len(asks) == 0 || !ok:
		c.fail(w, errCannotAsk)
		return
	}
	c.state, c.asks = heldState{text: state, present: true}, asked
	c.asked++
	if c.session != nil {
		c.told = c.session.close() // the next round has its own
		c.session = nil
	}
	// Before Request, for the transport may resume at once on another goroutine.
	c.asking = true
	if r.Request(asks) {
		return
	}
	c.asking = false
	c.fail(w, errCannotAsk)
}

var (
	// errCannotAsk is the answer when there is no way to ask the client.
	errCannotAsk = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "Internal error: the client cannot be asked"}
	// errRounds is the answer for a handler that is never content with its answers.
	errRounds = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "Internal error: the client cannot be asked again: too many rounds"}
)
