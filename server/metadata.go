package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/mooring-mcp/mooring/httpparse"
	"github.com/mooring-mcp/mooring/internal/bearer"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
)

// A document is protected resource metadata (RFC 9728) as it is published. It is immutable.
type document struct {
	body   []byte
	tag    string // the entity tag, with its quotes
	fields []byte // field lines of a response with the document, each after a CRLF
}

// documentPreflight are the field lines of the response to a preflight for a document. Clients send
// MCP-Protocol-Version with requests for it too.
const documentPreflight = "\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Allow-Methods: GET, HEAD, OPTIONS\r\n" +
	"Access-Control-Allow-Headers: Content-Type, If-None-Match, MCP-Protocol-Version\r\nAccess-Control-Max-Age: 7200"

// metadataPath returns the path of the metadata of the endpoint at a path.
//
//	RFC 9728, section 3.1: "If the resource identifier value contains a path or query component,
//	any terminating slash (/) following the host component MUST be removed before inserting".
func metadataPath(path string) string {
	if path == "/" {
		path = ""
	}
	return bearer.WellKnown + path
}

// publishAll publishes the metadata of Options.Path and Options.SSEPath. That of Options.Path is
// also at the path without one, where some clients look.
func (s *Server) publishAll() {
	a := s.auth
	if a == nil || a.opts.Metadata == nil {
		return
	}
	resource := a.opts.Metadata.Resource
	if resource == "" {
		resource = a.base + s.opts.Path
	}
	n := a.publish(resource)
	s.policy.Documents = map[string]uint32{bearer.WellKnown: n, metadataPath(s.opts.Path): n}
	if s.policy.SSE != "" {
		s.policy.Documents[metadataPath(s.policy.SSE)] = a.publish(a.base + s.policy.SSE)
	}
}

// publishMore publishes the metadata of a further endpoint.
func (s *Server) publishMore(path string) {
	if a := s.auth; a != nil && a.opts.Metadata != nil {
		s.policy.Documents[metadataPath(path)] = a.publish(a.base + path)
	}
}

// publish makes the document of a resource, and returns its number.
func (a *authenticator) publish(resource string) uint32 {
	m := *a.opts.Metadata
	m.Resource = resource
	if m.BearerMethodsSupported == nil {
		m.BearerMethodsSupported = []string{"header"}
	}
	body, err := json.Marshal(&m)
	if err != nil {
		panic(err) // no field of the type can fail
	}
	sum := sha256.Sum256(body)
	d := &document{body: body, tag: `"` + hex.EncodeToString(sum[:12]) + `"`}
	d.fields = []byte("\r\nAccess-Control-Allow-Origin: *\r\nCache-Control: max-age=300\r\nETag: " + d.tag)
	a.documents = append(a.documents, d)
	return uint32(len(a.documents))
}

// serveDocument responds with metadata.
func (c *conn) serveDocument() {
	l := c.loop
	d := l.srv.auth.documents[c.x.verdict.Document-1]
	h := c.respHead(200)
	h.Extra = d.fields
	switch {
	case l.req.Method == httpparse.MethodOptions:
		h.Status, h.Extra = 204, []byte(documentPreflight)
		l.out = endpoint.AppendHead(l.out, &h, "", 0)
	case d.isKnown(&l.req):
		h.Status = 304
		l.out = endpoint.AppendHead(l.out, &h, "", len(d.body))
	default:
		l.out = endpoint.AppendHead(l.out, &h, endpoint.TypeJSON, len(d.body))
		if l.req.Method != httpparse.MethodHead {
			l.out = append(l.out, d.body...)
		}
	}
}

// isKnown reports whether the client has the document already: If-None-Match has its tag (RFC 9110
// section 13.1.2). The tag has no comma.
func (d *document) isKnown(r *httpparse.Request) bool {
	for name, value := range r.Fields() {
		if !isField(name, "If-None-Match") {
			continue
		}
		for tag := range bytes.SplitSeq(value, []byte{','}) {
			tag = bytes.TrimPrefix(bytes.Trim(tag, " \t"), []byte("W/"))
			if string(tag) == d.tag || string(tag) == "*" {
				return true
			}
		}
	}
	return false
}
