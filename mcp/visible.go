package mcp

import (
	"context"
	"runtime/debug"
)

// A FeatureKind is a kind of feature that [ServerOptions].Visible decides on.
type FeatureKind uint8

const (
	FeatureTool             FeatureKind = 1 + iota // named by the tool's name
	FeaturePrompt                                  // named by the prompt's name
	FeatureResource                                // named by the URI, as it is listed
	FeatureResourceTemplate                        // named by the template, as it is listed
)

// String returns "tool", "prompt", "resource" or "resource template".
func (k FeatureKind) String() string {
	switch k {
	case FeatureTool:
		return "tool"
	case FeaturePrompt:
		return "prompt"
	case FeatureResource:
		return "resource"
	case FeatureResourceTemplate:
		return "resource template"
	}
	return "feature"
}

// A Caller is what is known of the client that sent a request. [ServerOptions].Visible gets it. It
// is valid until that function returns, except for the fields, which may be kept.
type Caller struct {
	// RequestExtra has what is known of the caller: the principal, the token, the header fields and
	// the peer, as far as the transport has them. It is the same as the handlers of the request
	// get.
	RequestExtra

	ctx  context.Context
	s    *Server
	sess ServerSession // without a sink
}

// SessionID returns the ID of the session that the request belongs to. It is "" in modern
// revisions, which have no sessions.
func (w *Caller) SessionID() string { return w.sess.id }

// ProtocolVersion returns the name of the request's revision.
func (w *Caller) ProtocolVersion() string { return w.sess.rev.name }

// ClientInfo returns the name and version that the client gave, or nil if it gave none. They are
// not verified. See [ServerRequest.ClientInfo].
func (w *Caller) ClientInfo() *Implementation { return w.sess.clientInfo() }

// ClientCapabilities returns what the client declared, on this request or for its session. The
// result is never nil.
func (w *Caller) ClientCapabilities() *ClientCapabilities { return w.sess.clientCapabilities() }

// newCaller returns the caller of c, whose revision and envelope are known.
func (s *Server) newCaller(c *Call, meta *RequestMeta) *Caller {
	w := &Caller{s: s, ctx: meta.Context}
	if w.ctx == nil {
		w.ctx = context.Background()
	}
	w.Principal, w.Header, w.TokenInfo, w.RemoteAddr = c.principal, c.header, c.tokenInfo, c.remoteAddr
	w.Trace, _ = c.env.trace.trace()
	w.sess.open(c.rev, &c.env, nil)
	w.sess.reg, w.sess.id, w.sess.bits, w.sess.client = c.reg, c.sessionID, c.caps, c.client
	return w
}

// sees reports whether f exists for w. A nil Caller sees everything.
func (w *Caller) sees(f feature) bool { return w == nil || w.visible(f) }

// visible asks the host. A feature about which it panics is not visible: Prepare runs where a panic
// would end more than one request.
func (w *Caller) visible(f feature) (ok bool) {
	kind, name := f.shown()
	defer func() {
		if v := recover(); v != nil {
			ok = false
			w.s.opts.Logger.Error("mcp: Visible panicked", "kind", kind.String(), "name", name, "panic", v, "stack", string(debug.Stack()))
		}
	}()
	return w.s.opts.Visible(w.ctx, w, kind, name)
}

// seenBy returns the part of f that w sees. It is f itself if that is all of it.
func seenBy[T feature](w *Caller, f *featureSet[T]) *featureSet[T] {
	if w == nil || len(f.items) == 0 {
		return f
	}
	kind, _ := f.items[0].shown()
	key := append(make([]byte, 0, 128), byte(kind))
	seen := 0
	for i, item := range f.items {
		if i%8 == 0 {
			key = append(key, 0)
		}
		if w.visible(item) {
			key[1+i/8] |= 1 << (i % 8)
			seen++
		}
	}
	if seen == len(f.items) {
		return f
	}
	views := &w.s.views
	if v, ok := views.get(key, f).(*featureSet[T]); ok {
		return v
	}
	v := &featureSet[T]{whole: f, items: make([]T, 0, seen)}
	for i, item := range f.items {
		if key[1+i/8]&(1<<(i%8)) != 0 {
			v.items = append(v.items, item)
		}
	}
	name := string(key)
	v.encoded = func(n int) { views.grow(name, v, n) }
	const itemSize = 8 // a pointer
	return views.add(name, f, v, len(name)+seen*itemSize).(*featureSet[T])
}

// lookup returns the feature of f with the key, if w sees it.
func lookup[T feature](w *Caller, f *featureSet[T], key []byte) (item T, ok bool) {
	i, ok := f.find(key)
	if !ok || !w.sees(f.items[i]) {
		return item, false
	}
	return f.items[i], true
}
