package mcp

import (
	"crypto/rand"
	"encoding/json"
	"errors"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// Ask ends f with questions of the upstream to the client: each has a key, one of the methods
// elicitation/create, sampling/createMessage and roots/list, and its params as the upstream wrote
// them. State is what the backend wants to get back with the answers; nil means nothing. A client
// of a modern revision gets a result that asks for input, with the state sealed, and sends the
// request again. A legacy one gets the questions as requests, if the transport can send them. In
// both cases [Backend.Start] is called with another Forward, whose State and InputResponses are the
// state and the answers.
//
// Ask reports whether the client is asked. If it is not, f has ended with an error: with the code
// [CodeMissingRequiredClientCapabilities] if the client has not declared that it can answer, or if
// the questions are not valid, or the client cannot be asked in its revision or over its transport.
func (f *Forward) Ask(asks []Ask, state []byte) bool {
	c, w := f.end()
	if c == nil {
		return false
	}
	return c.askForward(f, w, asks, heldState{string(state), state != nil})
}

// Answers reports whether the client has declared that it can answer a, so that a backend can
// refuse a question that its upstream should not have asked.
func (f *Forward) Answers(a *Ask) bool {
	return of(f, func(c *Call) bool {
		need, ok := rawNeeds(c.capabilities(), c.rev, []Ask{*a})
		return ok && need == nil
	})
}

// passOnQuestions ends a round with the questions of a modern upstream.
func (c *Call) passOnQuestions(f *Forward, w Sink, r *rawResult) {
	var asks []Ask
	for name, value := range jsonrpc.Members(r.requests) {
		method, _ := stringOf(member(value, "method"))
		asks = append(asks, Ask{Key: string(unescaped(name)), Method: string(method), Params: member(value, "params")})
	}
	state, present := stringOf(r.state)
	c.askForward(f, w, asks, heldState{string(state), present})
}

// askForward asks the client. F has ended.
func (c *Call) askForward(f *Forward, w Sink, asks []Ask, state heldState) bool {
	refuse := func(e *jsonrpc.Error) bool {
		c.fail(w, e)
		f.settled()
		return false
	}
	need, ok := rawNeeds(c.capabilities(), c.rev, asks)
	switch {
	case !ok:
		return refuse(errUpstream)
	case need != nil:
		data, err := json.Marshal(MissingRequiredClientCapabilityData{RequiredCapabilities: need})
		if err != nil {
			return refuse(errInternal)
		}
		return refuse(missingCapability(data))
	case len(asks) == 0 && !state.present:
		return refuse(errUpstream)
	}
	shown := make([]Ask, len(asks))
	for i := range asks {
		params, err := c.rev.wire.rawAsk(&asks[i])
		if err != nil {
			c.s.opts.Logger.Warn("mcp: a question of an upstream cannot be asked", "revision", c.rev.name, "error", err)
			return refuse(errCannotAsk)
		}
		shown[i] = Ask{asks[i].Key, asks[i].Method, params}
	}
	if c.rev.inputRequired {
		c.respondAsking(w, shown, state)
		f.settled()
		return true
	}
	return c.requestForward(f, w, shown, state, refuse)
}

// respondAsking answers with a result that asks for input.
func (c *Call) respondAsking(w Sink, asks []Ask, state heldState) {
	msg := append(appendID(c.buf[:0], c.id), c.head().required...)
	if len(asks) > 0 {
		msg = append(msg, `"inputRequests":{`...)
		for i := range asks {
			msg = append(jsonrpc.AppendString(comma(msg), asks[i].Key), `:{"method":`...)
			msg = append(jsonrpc.AppendString(msg, asks[i].Method), `,"params":`...)
			msg = append(append(msg, asks[i].Params...), '}')
		}
		msg = append(msg, '}')
	}
	if state.present {
		if msg[len(msg)-1] == '}' && len(asks) > 0 {
			msg = append(msg, ',')
		}
		msg = append(msg, `"requestState":`...)
		if c.inner {
			msg = jsonrpc.AppendString(msg, state.text)
		} else {
			msg = c.sealState(msg, state.text, nil)
		}
	}
	msg = append(msg, `}}`...)
	oneLine(msg)
	c.respond(w, msg, 0)
}

// requestForward asks the client of a session.
func (c *Call) requestForward(f *Forward, w Sink, asks []Ask, state heldState, refuse func(*jsonrpc.Error) bool) bool {
	if c.asked >= maxAskRounds {
		return refuse(errRounds)
	}
	if len(asks) == 0 {
		// A client of a modern revision would bring the state back at once.
		c.asked++
		c.state, c.p.inputResponses = state, nil
		next := c.round(w)
		next.done = f.done
		f.mu.Lock()
		next.cause = f.cause // it is cancelled when it has started
		f.next = next
		f.mu.Unlock()
		next.start()
		return true
	}
	r, ok := w.(Requester)
	if !ok {
		return refuse(errCannotAsk)
	}
	c.asked++
	c.state = state
	f.mu.Lock()
	f.asked = true
	f.mu.Unlock()
	// This comes before Request because the transport may resume at once on another goroutine.
	c.asking = true
	if r.Request(asks) {
		f.settled()
		return true
	}
	c.asking = false
	f.mu.Lock()
	f.asked = false
	f.mu.Unlock()
	return refuse(errCannotAsk)
}

// rawNeeds returns the capabilities that the questions need and that caps lacks, or nil if it lacks
// none. It returns false if one of them is no question, or if two have the same key.
func rawNeeds(caps CapabilityBits, rev *revision, asks []Ask) (*ClientCapabilities, bool) {
	requests := make(InputRequestMap, len(asks))
	for i := range asks {
		a := &asks[i]
		if _, twice := requests[a.Key]; twice || a.Params != nil && !isObject(a.Params) {
			return nil, false
		}
		switch a.Method {
		case askElicitation:
			requests[a.Key] = &ElicitParams{
				Mode: memberString(a.Params, "mode"), URL: memberString(a.Params, "url"),
				ElicitationID: memberString(a.Params, "elicitationId"),
			}
		case askRoots:
			requests[a.Key] = new(ListRootsParams)
		case askSampling:
			p := &CreateMessageWithToolsParams{IncludeContext: memberString(a.Params, "includeContext")}
			if tools := member(a.Params, "tools"); len(tools) > 0 && !emptyArray(tools) {
				p.Tools = []*Tool{nil}
			}
			if member(a.Params, "toolChoice") != nil {
				p.ToolChoice = new(ToolChoice)
			}
			requests[a.Key] = p
		default:
			return nil, false
		}
	}
	return undeclared(caps, rev, requests), true
}

func emptyArray(raw []byte) bool {
	for range jsonrpc.Elements(raw) {
		return false
	}
	return true
}

var errFormList = errors.New("the client's revision does not have form fields with several values")

// rawAsk returns the params of a, which an upstream wrote, in the revision.
func (w *wire) rawAsk(a *Ask) ([]byte, error) {
	if a.Params == nil {
		return []byte(`{}`), nil
	}
	url := a.Method == askElicitation && memberString(a.Params, "mode") == ElicitModeURL
	if a.Method == askElicitation && !url && !w.elicitMode && hasList(a.Params) {
		return nil, errFormList
	}
	out := []byte{'{'}
	id := false
	for name, value := range jsonrpc.Members(a.Params) {
		switch key := unescaped(name); string(key) {
		case "_meta":
			if value = append(appendRequestMeta([]byte{'{'}, value), '}'); emptyObject(value) {
				continue
			}
		case "task":
			continue // tasks are not forwarded
		case "mode":
			if a.Method == askElicitation && !w.elicitMode {
				continue
			}
		case "elicitationId":
			if id = true; a.Method == askElicitation && !w.elicitID {
				continue
			}
		case "messages":
			if a.Method == askSampling {
				value = w.rawSampling(value)
			}
		}
		out = appendLine(appendName(out, name), value)
	}
	if url && w.elicitID && !id {
		out = jsonrpc.AppendString(append(comma(out), `"elicitationId":`...), rand.Text())
	}
	return append(out, '}'), nil
}

// appendRequestMeta appends to the object that has been opened at the end of dst the members of
// meta that are not for one hop.
func appendRequestMeta(dst, meta []byte) []byte {
	for name, value := range jsonrpc.Members(meta) {
		if key := unescaped(name); string(key) == "progressToken" || reservedKey(key) {
			continue
		}
		dst = appendLine(appendName(dst, name), value)
	}
	return dst
}

// hasList reports whether the form of an elicitation has a field with several values.
func hasList(params []byte) bool {
	for _, prop := range jsonrpc.Members(member(member(params, "requestedSchema"), "properties")) {
		if jsonrpc.EqualString(member(prop, "type"), "array") {
			return true
		}
	}
	return false
}

// rawSampling returns the messages of a sampling request. In a revision without messages of several
// blocks, such a message becomes several messages.
func (w *wire) rawSampling(messages []byte) []byte {
	if w.all() {
		return messages
	}
	out := []byte{'['}
	add := func(msg []byte) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, msg...)
	}
	for msg := range jsonrpc.Elements(messages) {
		content := member(msg, "content")
		switch {
		case len(content) > 0 && content[0] == '[' && w.manyBlocks:
			add(msg)
		case len(content) > 0 && content[0] == '[':
			for block := range jsonrpc.Elements(content) {
				add(withMember(msg, "content", w.rawContent(block)))
			}
		case w.manyBlocks:
			add(msg)
		default:
			add(withMember(msg, "content", w.rawContent(content)))
		}
	}
	return append(out, ']')
}
