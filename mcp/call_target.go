package mcp

import (
	"bytes"
	"strings"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A TargetKind says what kind of feature a request names.
type TargetKind uint8

const (
	TargetTool TargetKind = iota
	TargetResource
	TargetPrompt
)

// MethodName returns the method of the message as the client wrote it, or "other" if the server
// does not know it.
func (c *Call) MethodName() string { return c.methodName() }

// Targets calls f for each feature that a prepared message names: the tool, the resource or the
// prompt of its method, the reference of completion/complete, and the resources of
// subscriptions/listen. It ends when f returns false, and reports whether f never did. A resource
// is named as [NormalURI] returns it. The names must not be kept. Targets allocates nothing for
// names that are normalized and have no escapes.
func (c *Call) Targets(f func(kind TargetKind, name []byte) bool) bool {
	switch c.method {
	case MethodCallTool:
		return f(TargetTool, c.name)
	case MethodGetPrompt:
		return f(TargetPrompt, c.name)
	case MethodReadResource, MethodSubscribe, MethodUnsubscribe:
		return f(TargetResource, normalName(c.name))
	case MethodComplete:
		return c.completes(f)
	case MethodListen:
		return c.listensTo(f)
	}
	return true
}

// completes is Targets for completion/complete. A reference to a resource may be the text of a
// template.
func (c *Call) completes(f func(kind TargetKind, name []byte) bool) bool {
	if jsonrpc.EqualString(member(c.p.ref, "type"), RefPrompt) {
		name, _ := stringOf(member(c.p.ref, "name"))
		return f(TargetPrompt, name)
	}
	uri, _ := stringOf(member(c.p.ref, "uri"))
	if bytes.IndexByte(uri, '{') >= 0 && !f(TargetResource, []byte(normalTemplate(string(uri)))) {
		return false
	}
	return f(TargetResource, normalName(uri))
}

// listensTo is Targets for subscriptions/listen.
func (c *Call) listensTo(f func(kind TargetKind, name []byte) bool) bool {
	return c.listenedURIs(func(uri []byte) bool { return f(TargetResource, normalName(uri)) })
}

// listenedURIs calls f with the resources of subscriptions/listen until it returns false, and
// reports whether it never did. A request that names more than MaxListenURIs is refused as a whole.
func (c *Call) listenedURIs(f func(uri []byte) bool) bool {
	left := c.s.opts.MaxListenURIs
	for name, value := range jsonrpc.Members(c.p.notifications) {
		if string(unescaped(name)) != "resourceSubscriptions" || isNull(value) {
			continue
		}
		for e := range jsonrpc.Elements(value) {
			if left--; left < 0 {
				return true
			}
			if uri, ok := stringOf(e); ok && !f(uri) {
				return false
			}
		}
	}
	return true
}

// normalName is NormalURI for a name that is not a template.
func normalName(uri []byte) []byte {
	if isNormalURI(uri) {
		return uri
	}
	return appendNormalURI(nil, string(uri), foldHost, false)
}

// NormalURI returns the spelling by which URIs of resources and URI templates are compared (RFC
// 3986, section 6.2.2). In it the scheme and the host are in lower case, and exactly those
// characters are percent-encoded that must be.
func NormalURI(uri string) string {
	if strings.IndexByte(uri, '{') >= 0 {
		return normalTemplate(uri)
	}
	return normalURI(uri)
}
