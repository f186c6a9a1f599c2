package mcp

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"hash"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A handler that needs something of the client (an answer of the user, of a model,
// the client's roots) returns what it asks instead of a result, with what it wants to
// remember in RequestState. The client sends the request again with the answers and
// the state, and the handler runs again, from the start: nothing of the first round is
// kept here (basic/patterns/mrtr).
//
// The state that travels is sealed. It opens only for the same method with the same
// name, URI and arguments, from the same principal, until it expires. It may be
// presented more than once.

// A heldState is what a handler left with the client, opened.
type heldState struct {
	text    string
	present bool
}

// shapeInput checks the members by which a client comes back.
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

// openState opens the state that came with the request. The client could have made it
// up: whatever does not open for this request is refused.
func (c *Call) openState() *jsonrpc.Error {
	if c.p.requestState == nil {
		return nil
	}
	sealed, _ := stringOf(c.p.requestState)
	plain, err := c.s.states.Open(nil, sealed, c.binding())
	if err != nil || len(plain) < 8 {
		return errState
	}
	if expires := int64(binary.BigEndian.Uint64(plain)); c.s.now().UnixMilli() >= expires {
		return errState
	}
	c.state = heldState{string(plain[8:]), true}
	return nil
}

// sealState appends state, sealed for a request like this one, as a JSON string.
func (c *Call) sealState(dst []byte, state string) []byte {
	expires := c.s.now().Add(c.s.opts.StateTTL).UnixMilli()
	plain := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(state)), uint64(expires))
	plain = append(plain, state...)
	dst = append(dst, '"')
	dst = c.s.states.Seal(dst, plain, c.binding())
	return append(dst, '"')
}

// binding returns a digest of what a state is bound to.
func (c *Call) binding() []byte {
	h := sha256.New()
	digest(h, []byte(c.method.String()))
	digest(h, []byte(c.principal))
	digest(h, c.name)
	digest(h, appendCanonical(nil, c.p.arguments))
	return h.Sum(nil)
}

// digest writes b behind its length, so that no two lists of parts read the same.
func digest(h hash.Hash, b []byte) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(b)))
	h.Write(n[:])
	h.Write(b)
}

// takeInput decodes what the client answered and gives the opened state.
func (c *Call) takeInput(responses *InputResponseMap, state *string) *jsonrpc.Error {
	*state = c.state.text
	if c.p.inputResponses == nil {
		return nil
	}
	if err := responses.UnmarshalJSON(c.p.inputResponses); err != nil {
		if !c.rev.inputRequired {
			return errAnswer // the client's request is not to blame
		}
		return invalidParams("inputResponses is not valid")
	}
	return nil
}

// askClient answers with what a handler asks of the client, unless the client did not
// declare on this request that it can answer: "Servers MUST NOT send an inputRequests
// that the client has not declared support for in its capabilities".
func (c *Call) askClient(w Sink, requests InputRequestMap, state string) {
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
		asked, err := c.ask(w, requests, state)
		switch {
		case asked:
		case err != nil:
			c.failEncoding(w, err)
		default:
			c.fail(w, errCannotAsk)
		}
		return
	}
	msg := append(appendID(c.buf[:0], c.id), c.head().required...)
	if requests != nil {
		var err error
		if msg, err = requests.appendJSON(append(msg, `"inputRequests":`...)); err != nil {
			c.failEncoding(w, err)
			return
		}
	}
	if state != "" {
		if requests != nil {
			msg = append(msg, ',')
		}
		msg = c.sealState(append(msg, `"requestState":`...), state)
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

// undeclared returns the capabilities that the requests need and caps does not have;
// nil when there are none. What the revision has no capability for is free.
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
				need.Roots, missing = new(RootCapabilities), true
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
