package mcp

import (
	"bytes"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// Result ends f with a result of the upstream: the JSON text of an object, which is copied. The
// client gets its bytes, except for what belongs to the hop between the backend and the upstream,
// and what the client's revision writes differently. White space at the ends of lines is not kept.
//
// The result of an upstream that asks for input is given to the client as its revision has it: see
// [Forward.Ask]. A text that is not an object, or not JSON, becomes an internal error.
func (f *Forward) Result(raw []byte) {
	if jsonrpc.Check(raw) != nil {
		raw = nil
	}
	f.result(raw)
}

// Response ends f with the result or the error of m, which [jsonrpc.Envelope.Decode] has decoded:
// the text is not checked again.
func (f *Forward) Response(m *jsonrpc.Envelope) {
	if e := m.ErrorObject(); e != nil {
		f.Error(e)
		return
	}
	f.result(m.Result)
}

func (f *Forward) result(raw []byte) {
	c, w := f.end()
	if c == nil {
		return
	}
	raw = bytes.Trim(raw, " \t\r\n")
	if !isObject(raw) {
		c.fail(w, errUpstream)
		f.settled()
		return
	}
	var r rawResult
	r.scan(raw)
	if jsonrpc.EqualString(r.resultType, "input_required") && c.method != MethodComplete {
		c.passOnQuestions(f, w, &r)
		return
	}
	if r.resultType != nil && !c.rev.resultType && !jsonrpc.EqualString(r.resultType, "complete") {
		c.fail(w, errUpstream) // the revision has no other results
		f.settled()
		return
	}
	at := len(appendID(c.buf[:0], c.id))
	msg := c.appendForwarded(c.buf[:0], &r)
	oneLine(msg[at:])
	c.respond(w, msg, 0)
	f.settled()
}

// A rawResult is a result of an upstream, and those of its members that may have to be written
// differently.
type rawResult struct {
	raw        []byte
	resultType []byte // nil if absent
	meta       []byte
	content    []byte // of a tool
	messages   []byte // of a prompt
	structured []byte
	ttl, scope []byte
	requests   []byte
	state      []byte
}

func (r *rawResult) scan(raw []byte) {
	r.raw = raw
	for name, value := range jsonrpc.Members(raw) {
		switch string(unescaped(name)) {
		case "resultType":
			r.resultType = value
		case "_meta":
			r.meta = value
		case "content":
			r.content = value
		case "messages":
			r.messages = value
		case "structuredContent":
			r.structured = value
		case "ttlMs":
			r.ttl = value
		case "cacheScope":
			r.scope = value
		case "inputRequests":
			r.requests = value
		case "requestState":
			r.state = value
		}
	}
}

// appendForwarded appends the response with the result r.
func (c *Call) appendForwarded(dst []byte, r *rawResult) []byte {
	if c.rev.resultType {
		return c.appendModern(dst, r)
	}
	return c.appendLegacy(dst, r)
}

// appendModern appends the response in a revision whose results say what they are and who made
// them, and for how long they may be kept.
func (c *Call) appendModern(dst []byte, r *rawResult) []byte {
	hints, own := c.hints(r)
	dst = append(appendID(dst, c.id), `,"result":{`...)
	if r.resultType == nil {
		dst = append(dst, `"resultType":"complete",`...)
	}
	dst = append(dst, `"_meta":{"`+MetaKeyServerInfo+`":`...)
	dst = append(dst, c.s.identity.Load().infos[c.rev.index]...)
	dst = append(appendForeignMeta(dst, r.meta), '}')
	if r.meta == nil && !own {
		if !emptyObject(r.raw) {
			dst = append(dst, ',')
		}
		return append(append(dst, r.raw[1:]...), '}')
	}
	for name, value := range jsonrpc.Members(r.raw) {
		switch string(unescaped(name)) {
		case "_meta":
			continue
		case "ttlMs", "cacheScope":
			if own {
				continue
			}
		}
		dst = append(appendName(dst, name), value...)
	}
	if own {
		dst = appendHints(dst, c.rev, hints)
	}
	return append(dst, `}}`...)
}

// hints returns the caching fields of the result r, and whether they differ from those that it has.
func (c *Call) hints(r *rawResult) (hints Cacheable, own bool) {
	if c.method != MethodReadResource {
		return hints, false
	}
	ttl, ok := jsonrpc.IntValue(r.ttl)
	scope, _ := stringOf(r.scope)
	if !ok || ttl < 0 || string(scope) != CachePublic && string(scope) != CachePrivate {
		hints = c.s.opts.Cache.ReadResource
		c.normalize(&hints)
		return hints, true
	}
	hints = Cacheable{TTLMs: int(ttl), CacheScope: string(scope)}
	was := hints
	c.normalize(&hints)
	return hints, hints != was
}

// appendForeignMeta appends the members of meta that do not belong to a hop, each after a comma.
func appendForeignMeta(dst, meta []byte) []byte {
	for name, value := range jsonrpc.Members(meta) {
		if reservedKey(unescaped(name)) {
			continue
		}
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), name...), '"', ':')
		dst = append(dst, value...)
	}
	return dst
}

// hasReserved reports whether meta has a member that belongs to a hop.
func hasReserved(meta []byte) bool {
	for name := range jsonrpc.Members(meta) {
		if reservedKey(unescaped(name)) {
			return true
		}
	}
	return false
}

// appendLegacy appends the response in a revision with sessions.
func (c *Call) appendLegacy(dst []byte, r *rawResult) []byte {
	w := &c.rev.wire
	content, messages, structured := r.content, r.messages, r.structured
	switch c.method {
	case MethodCallTool:
		content = w.rawContents(content)
		if structured != nil && !w.takes(structured) {
			if !isNull(structured) {
				content = withText(content, structured)
			}
			structured = nil
		}
	case MethodGetPrompt:
		messages = w.rawMessages(messages)
	}
	dst = append(appendID(dst, c.id), `,"result":`...)
	if r.resultType == nil && r.ttl == nil && r.scope == nil && !hasReserved(r.meta) &&
		sameBytes(content, r.content) && sameBytes(messages, r.messages) && sameBytes(structured, r.structured) {
		return append(append(dst, r.raw...), '}')
	}
	dst = append(dst, '{')
	for name, value := range jsonrpc.Members(r.raw) {
		switch string(unescaped(name)) {
		case "resultType", "ttlMs", "cacheScope":
			continue
		case "_meta":
			dst = append(appendForeignMeta(append(appendName(dst, name), '{'), value), '}')
			continue
		case "structuredContent":
			if structured == nil {
				continue
			}
		case "content":
			value = content
		case "messages":
			value = messages
		}
		dst = append(appendName(dst, name), value...)
	}
	if r.content == nil && content != nil {
		dst = append(append(comma(dst), `"content":`...), content...)
	}
	return append(dst, `}}`...)
}

// sameBytes reports whether a and b are the same slice.
func sameBytes(a, b []byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// oneLine replaces the line ends between the tokens of text, which is JSON, by spaces: transports
// that send lines must not take them for the end of the message. Strings have no line ends.
func oneLine(text []byte) {
	if bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') < 0 {
		return
	}
	for i, b := range text {
		if b == '\n' || b == '\r' {
			text[i] = ' '
		}
	}
}
