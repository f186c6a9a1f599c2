package mcp

import (
	"net/http"
	"net/netip"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/jsonrpc"
)

// This file is what a Backend sees of a call.

// Target returns what the call is forwarded to. Its Backend is nil. The result is valid after the
// end too.
func (f *Forward) Target() Target { return f.target }

// Method returns the method of the request.
func (f *Forward) Method() Method { return of(f, func(c *Call) Method { return c.method }) }

// Name returns the name of the tool or prompt under which the client called it, or the URI as the
// client wrote it. It is nil for completion/complete.
func (f *Forward) Name() []byte { return of(f, func(c *Call) []byte { return c.name }) }

// Params returns the params of the request, a JSON object, or nil if it has none. See
// [Forward.AppendParams].
func (f *Forward) Params() []byte { return of(f, func(c *Call) []byte { return c.p.raw }) }

// ProgressToken returns the JSON text of the client's progress token, or nil if the client does not
// want to know of progress.
func (f *Forward) ProgressToken() []byte {
	return of(f, func(c *Call) []byte { return c.env.token })
}

// Capabilities returns what the client declared, on this request or for its session.
func (f *Forward) Capabilities() CapabilityBits { return of(f, (*Call).capabilities) }

// ClientCapabilities returns the same as a JSON object: as the client wrote it, if it came with
// this request.
func (f *Forward) ClientCapabilities() []byte {
	return of(f, func(c *Call) []byte {
		if c.rev.requestMeta {
			return c.env.caps
		}
		text, err := marshal(c.caps.clientCapabilities())
		if err != nil {
			return []byte(`{}`)
		}
		return text
	})
}

// ClientInfo returns the name and version that the client gave, as a JSON object, or nil if it gave
// none.
func (f *Forward) ClientInfo() []byte {
	return of(f, func(c *Call) []byte {
		if c.rev.requestMeta || c.client.name == "" {
			return c.env.info
		}
		b := jsonrpc.AppendString([]byte(`{"name":`), c.client.name)
		return append(jsonrpc.AppendString(append(b, `,"version":`...), c.client.version), '}')
	})
}

// LogLevel returns the least severe level of the log messages that the client wants, or "" if it
// wants none.
func (f *Forward) LogLevel() LoggingLevel {
	return of(f, func(c *Call) LoggingLevel { return levelOf(c.logRank()) })
}

// logRank returns the rank of the level that the client wants, or 0.
func (c *Call) logRank() int {
	if !offersLogging(c.s, c.reg) {
		return 0 // "Servers that emit log messages MUST declare the logging capability"
	}
	return c.env.logRank
}

// Principal returns the authenticated caller, or "" if it is anonymous.
func (f *Forward) Principal() string { return of(f, func(c *Call) string { return c.principal }) }

// SessionID returns the ID of the client's session. It is "" in modern revisions.
func (f *Forward) SessionID() string { return of(f, func(c *Call) string { return c.sessionID }) }

// Endpoint returns the name of the endpoint that the request came to: see [RequestMeta].
func (f *Forward) Endpoint() string { return of(f, func(c *Call) string { return c.endpoint }) }

// ProtocolVersion returns the name of the request's revision.
func (f *Forward) ProtocolVersion() string { return of(f, func(c *Call) string { return c.rev.name }) }

// Legacy reports whether the request is of a revision with sessions.
func (f *Forward) Legacy() bool { return of(f, (*Call).Legacy) }

// Header, TokenInfo and RemoteAddr return the fields of the same names of [RequestExtra].
func (f *Forward) Header() http.Header { return of(f, func(c *Call) http.Header { return c.header }) }

// TokenInfo returns what the bearer token of the request says, or nil.
func (f *Forward) TokenInfo() *auth.TokenInfo {
	return of(f, func(c *Call) *auth.TokenInfo { return c.tokenInfo })
}

// RemoteAddr returns the address of the network peer, as far as it is known.
func (f *Forward) RemoteAddr() netip.AddrPort {
	return of(f, func(c *Call) netip.AddrPort { return c.remoteAddr })
}

// Trace returns the trace context of the request, and false if it has none.
func (f *Forward) Trace() (Trace, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.c == nil {
		return Trace{}, false
	}
	return f.c.env.trace.trace()
}

// State returns the state that was given to [Forward.Ask], or the requestState of the upstream that
// asked, and whether there is one. It has come back from the client, sealed, with the client's
// answers.
func (f *Forward) State() (string, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.c == nil {
		return "", false
	}
	return f.c.state.text, f.c.state.present
}

// InputResponses returns the client's answers to what it was asked, a JSON object, or nil if it was
// not asked. Each member has the key of its question. The answers are not checked. That of a client
// in a session may also be a string: it says why the client gave none.
func (f *Forward) InputResponses() []byte {
	return of(f, func(c *Call) []byte { return c.p.inputResponses })
}

// of returns what get finds in the call of f, or the zero T when f has ended.
func of[T any](f *Forward, get func(*Call) T) (out T) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.c != nil {
		out = get(f.c)
	}
	return out
}

// AppendParams appends the params for the upstream: those of the client, with the upstream's own
// name in place of the one that the client knows. What belongs to the hop between the client and
// this server is left out: the progress token and the io.modelcontextprotocol members of _meta,
// inputResponses and requestState. Meta and more are JSON members without braces, or nil, which are
// added to _meta and to the params: "progressToken":7, for example.
func (f *Forward) AppendParams(dst, meta, more []byte) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	dst = append(dst, '{')
	var own []byte
	if f.c != nil {
		dst = f.appendMembers(dst)
		own = f.c.p.meta
	}
	before := len(dst)
	dst = append(comma(dst), `"_meta":{`...)
	empty := len(dst)
	if dst = appendRequestMeta(dst, own); len(meta) > 0 {
		dst = append(comma(dst), meta...)
	}
	if len(dst) == empty {
		dst = dst[:before]
	} else {
		dst = append(dst, '}')
	}
	if len(more) > 0 {
		dst = append(comma(dst), more...)
	}
	return append(dst, '}')
}

// comma appends a comma unless dst ends with a brace that has just been opened.
func comma(dst []byte) []byte {
	if n := len(dst); n == 0 || dst[n-1] == '{' {
		return dst
	}
	return append(dst, ',')
}

// appendMembers appends the members of the params except for _meta.
func (f *Forward) appendMembers(dst []byte) []byte {
	for name, value := range jsonrpc.Members(f.c.p.raw) {
		switch string(unescaped(name)) {
		case "_meta", "inputResponses", "requestState":
			continue
		case "name", "uri":
			if f.c.method != MethodComplete {
				dst = jsonrpc.AppendString(appendName(dst, name), f.target.Name)
				continue
			}
		case "ref":
			if f.c.method == MethodComplete {
				dst = f.appendRef(appendName(dst, name), value)
				continue
			}
		}
		dst = appendLine(appendName(dst, name), value)
	}
	return dst
}

// appendRef appends the reference of a completion, with the upstream's own name.
func (f *Forward) appendRef(dst, ref []byte) []byte {
	own := "uri"
	if jsonrpc.EqualString(member(ref, "type"), RefPrompt) {
		own = "name"
	}
	dst = append(dst, '{')
	for name, value := range jsonrpc.Members(ref) {
		if dst = appendName(dst, name); string(unescaped(name)) == own {
			dst = jsonrpc.AppendString(dst, f.target.Name)
		} else {
			dst = appendLine(dst, value)
		}
	}
	return append(dst, '}')
}

// reservedKey reports whether name is a member of _meta that belongs to one hop.
func reservedKey(name []byte) bool {
	const prefix = "io.modelcontextprotocol/"
	return len(name) > len(prefix) && string(name[:len(prefix)]) == prefix
}

// appendLine appends value, which is JSON, on one line: line ends between its tokens become spaces,
// so that no transport takes them for the end of the message. Strings have none.
func appendLine(dst, value []byte) []byte {
	start := len(dst)
	dst = append(dst, value...)
	oneLine(dst[start:])
	return dst
}
