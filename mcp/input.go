package mcp

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"hash"
	"slices"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A handler that needs something from the client (an answer of the user or a model, or the
// client's roots) returns its questions instead of a result, and in RequestState what it wants to
// remember. The client sends the request again with the answers and the state, and the handler
// runs again from the start. The server keeps nothing of the first round (basic/patterns/mrtr).
//
// The state travels sealed. It opens only for the same method with the same name, URI and
// arguments, from the same principal
// and at the same endpoint, until it expires. It may be presented more than once.

// A heldState is the opened state that a handler left with the client.
type heldState struct {
	text    string
	present bool
}

// shapeInput checks the members that a client adds when it repeats a request.
func (c *Call) shapeInput() *jsonrpc.Error {
	if c.p.inputResponses != nil && !isObject(c.p.inputResponses) {
		return invalidParams("inputResponses must be an object")
	}
	if c.p.requestState != nil {
		if _, ok := stringOf(c.p.requestState); !ok {
			return invalidParams("requestState must be a string")
		}
	}
	return nil
}

// The first octet of a state says what it holds. A state with a handler's text is refused unless
// it opens, because the client could have made it up. A state that only says what was asked is
// used if it opens. If it does not, perhaps because it is on another replica or too late, it is
// ignored.
const (
	stateAskedText = '~' // what was asked, and the handler's text
	stateAsked     = '.' // what was asked; any other octet means the handler's text
)

// openState opens the state that came with the request. It refuses a state that does not open for
// this request, unless that state only says what was asked.
func (c *Call) openState() *jsonrpc.Error {
	if c.p.requestState == nil {
		return nil
	}
	sealed, _ := stringOf(c.p.requestState)
	var kind byte
	if len(sealed) > 0 && (sealed[0] == stateAsked || sealed[0] == stateAskedText) {
		kind, sealed = sealed[0], sealed[1:]
	}
	refusal := errState
	if kind == stateAsked {
		refusal = nil
	}
	plain, err := c.s.states.Open(nil, sealed, c.binding(kind))
	if err != nil || len(plain) < 8 {
		return refusal
	}
	if expires := int64(binary.BigEndian.Uint64(plain)); c.s.now().UnixMilli() >= expires {
		return refusal
	}
	plain = plain[8:]
	var asked []askedInput
	if kind != 0 {
		var ok bool
		if asked, plain, ok = readAsked(plain); !ok {
			return refusal
		}
	}
	c.state, c.asks = heldState{string(plain), true}, asked
	return nil
}

// sealState appends, as a JSON string, state and the questions asked with it, sealed for a request
// like this one.
func (c *Call) sealState(dst []byte, state string, asked []askedInput) []byte {
	expires := c.s.now().Add(c.s.opts.StateTTL).UnixMilli()
	plain := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(state)), uint64(expires))
	dst = append(dst, '"')
	var kind byte
	if len(asked) > 0 {
		if kind = stateAskedText; state == "" {
			kind = stateAsked
		}
		dst, plain = append(dst, kind), appendAsked(plain, asked)
	}
	dst = c.s.states.Seal(dst, append(plain, state...), c.binding(kind))
	return append(dst, '"')
}

// binding returns a digest of all that a state of the kind is bound to.
func (c *Call) binding(kind byte) []byte {
	h := sha256.New()
	digest(h, []byte(c.method.String()))
	digest(h, []byte(c.principal))
	digest(h, []byte(c.endpoint))
	name := c.name
	if c.method == MethodReadResource {
		name = appendNormalURI(nil, string(name), foldHost, false)
	}
	digest(h, name)
	digest(h, appendCanonical(nil, c.p.arguments))
	if kind != 0 {
		digest(h, []byte{kind})
	}
	if c.kind == CallForward {
		digest(h, []byte("upstream "+c.target.Owner))
	}
	return h.Sum(nil)
}

// digest writes the length of b and b, so that no two lists of parts have the same digest.
func digest(h hash.Hash, b []byte) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(b)))
	h.Write(n[:])
	h.Write(b)
}

// takeInput stores the opened state, and the client's answers to what it was asked.
func (c *Call) takeInput(responses *InputResponseMap, state *string) *jsonrpc.Error {
	*state = c.state.text
	if c.p.inputResponses == nil {
		return nil
	}
	answers, err := decodeAnswers(c.asks, c.p.inputResponses, !c.rev.inputRequired)
	switch {
	case err == nil:
	case c.rev.inputRequired:
		return invalidParams("inputResponses: " + err.Error())
	default: // the client's request is not to blame
		return &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "Internal error: the client's answer is not valid: " + err.Error()}
	}
	*responses = answers
	return nil
}

// answersBrought reports whether the client has already sent answers to the questions in asked,
// and notes for the next run that they were asked. The handler starts over for a client that sends
// answers without the state that says what was asked, and need not ask again what is answered
// already.
func (c *Call) answersBrought(asked []askedInput) (brought bool) {
	if c.p.inputResponses == nil || c.state.present || c.asked >= maxAskRounds {
		return false
	}
	for _, a := range asked {
		known := slices.ContainsFunc(c.asks, func(b askedInput) bool { return b.key == a.key })
		if !known && a.isAnswer(member(c.p.inputResponses, a.key)) {
			c.asks = append(c.asks, a)
			brought = true
		}
	}
	return brought
}

// runAgain runs the handler again from its start.
func (c *Call) runAgain(ctx context.Context, w Sink) {
	c.asked++
	if c.session != nil {
		c.told = c.session.close() // the next round has its own
		c.session = nil
	}
	c.Run(ctx, w)
}

// askClient answers with the questions of a handler, or with an error if the client did not
// declare on this request that it can answer them: "Servers MUST NOT send an inputRequests that
// the client has not declared support for in its capabilities".
func (c *Call) askClient(ctx context.Context, w Sink, requests InputRequestMap, state string) {
	if need := undeclared(c.capabilities(), c.rev, requests); need != nil {
		data, err := json.Marshal(MissingRequiredClientCapabilityData{RequiredCapabilities: need})
		if err != nil {
			c.failEncoding(w, err)
			return
		}
		c.fail(w, missingCapability(data))
		return
	}
	if !c.rev.inputRequired {
		c.ask(ctx, w, requests, state)
		return
	}
	asks, asked, err := c.rev.wire.questions(requests)
	if err != nil {
		c.failEncoding(w, err)
		return
	}
	if c.answersBrought(asked) {
		c.runAgain(ctx, w)
		return
	}
	msg := append(appendID(c.buf[:0], c.id), c.head().required...)
	if len(asks) > 0 || state == "" {
		msg = append(msg, `"inputRequests":{`...)
		for i := range asks {
			if i > 0 {
				msg = append(msg, ',')
			}
			msg = append(jsonrpc.AppendString(msg, asks[i].Key), `:{"method":`...)
			msg = append(jsonrpc.AppendString(msg, asks[i].Method), `,"params":`...)
			msg = append(append(msg, asks[i].Params...), '}')
		}
		msg = append(msg, '}')
	}
	if state != "" || held(asked) {
		if msg[len(msg)-1] == '}' {
			msg = append(msg, ',')
		}
		msg = c.sealState(append(msg, `"requestState":`...), state, asked)
	}
	c.respond(w, append(msg, `}}`...), 0)
}

// capabilities returns what the client of the call declared.
func (c *Call) capabilities() CapabilityBits {
	if c.rev.requestMeta {
		return capabilityBits(c.env.caps)
	}
	return c.caps
}

// undeclared returns the capabilities that the requests need and that caps lacks, or nil if it
// lacks none. What the revision has no capability for needs none.
func undeclared(caps CapabilityBits, rev *revision, requests InputRequestMap) *ClientCapabilities {
	var need ClientCapabilities
	missing := false
	for _, r := range requests {
		switch r := r.(type) {
		case *ElicitParams:
			switch {
			case r.mode() == ElicitModeURL && caps&CapabilityElicitationURL == 0:
				elicitation(&need).URL, missing = new(URLElicitationCapabilities), true
			case r.mode() != ElicitModeURL && caps&CapabilityElicitationForm == 0:
				elicitation(&need).Form, missing = new(FormElicitationCapabilities), true
			}
		case *CreateMessageParams:
			missing = needSampling(&need, caps, rev, r.IncludeContext, false) || missing
		case *CreateMessageWithToolsParams:
			missing = needSampling(&need, caps, rev, r.IncludeContext, len(r.Tools) > 0 || r.ToolChoice != nil) || missing
		case *ListRootsParams:
			if caps&CapabilityRoots == 0 {
				need.RootsV2, missing = new(RootCapabilities), true
			}
		}
	}
	if !missing {
		return nil
	}
	return &need
}

func elicitation(need *ClientCapabilities) *ElicitationCapabilities {
	if need.Elicitation == nil {
		need.Elicitation = new(ElicitationCapabilities)
	}
	return need.Elicitation
}

// needSampling adds to need what caps lacks for sampling, and reports whether it did.
func needSampling(need *ClientCapabilities, caps CapabilityBits, rev *revision, context string, tools bool) bool {
	lacks := caps&CapabilitySampling == 0
	lacksTools := tools && caps&CapabilitySamplingTools == 0
	lacksContext := context != "" && context != "none" && caps&CapabilitySamplingContext == 0 &&
		rev.asks&CapabilitySamplingContext != 0
	if !lacks && !lacksTools && !lacksContext {
		return false
	}
	if need.Sampling == nil {
		need.Sampling = new(SamplingCapabilities)
	}
	if lacksTools {
		need.Sampling.Tools = new(SamplingToolsCapabilities)
	}
	if lacksContext {
		need.Sampling.Context = new(SamplingContextCapabilities)
	}
	return true
}
