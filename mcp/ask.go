package mcp

import (
	"context"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// In revisions without input_required results, a server asks its client by sending requests of its
// own on the stream of the call. That needs a transport that can send them and that notices when
// they are answered: a [Requester]. The handler does not see the difference: it returns its
// questions and runs again with the answers. No goroutine waits in between.

// maxAskRounds is how often a handler may run again in one call. It is a limit for handlers that no
// answer of a client satisfies.
const maxAskRounds = 16

// Resume runs the handler again, for a call whose Run ended with [Requester.Request]. Responses is
// the JSON object of the answers under the keys of the asks, made with [AppendAskAnswer]. If an
// answer is missing or is an error, the call is answered without running its handler, because the
// client would only refuse again. A CallForward is forwarded again, whatever the answers are; if it
// was started with [Call.Forward], Resume does not block. Resume may be called on another goroutine
// than Run. The message and responses must not change until it has returned.
func (c *Call) Resume(ctx context.Context, w Sink, responses []byte) {
	if !c.asking {
		return
	}
	if c.kind == CallForward {
		c.asking = false
		c.p.inputResponses = responses
		if c.blocking {
			c.runForward(ctx, w)
		} else {
			c.Forward(w)
		}
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

// ask sends the questions as requests. If there is a state but no question, the handler runs again
// at once: a client of a revision with input_required results would bring the state back at once.
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
	// This comes before Request because the transport may resume at once on another goroutine.
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
	// errRounds is the answer when a handler has asked too often.
	errRounds = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "Internal error: the client cannot be asked again: too many rounds"}
)
