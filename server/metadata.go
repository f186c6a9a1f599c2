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
func (e *endpoints) publishAll(s *Server) {
	a := s.auth
	if a == nil || a.opts.Metadata == nil {
		return
	}
	resource := a.opts.Metadata.Resource
	if resource == "" {
		resource = a.base + s.opts.Path
	}
	e.policy.Documents = make(map[string]uint32)
	e.publish(metadataPath(s.opts.Path), a.document(resource))
	e.policy.Documents[bearer.WellKnown] = e.policy.Documents[metadataPath(s.opts.Path)]
	if sse := e.policy.SSE; sse != "" {
		e.publish(metadataPath(sse), a.document(a.base+sse))
	}
}

// publish adds a document.
func (e *endpoints) publish(path string, d *document) {
	e.documents = append(e.documents, d)
	e.policy.Documents[path] = uint32(len(e.documents))
}

// unpublish takes the document of a path away, if there is one.
func (e *endpoints) unpublish(path string) {
	n := e.policy.Documents[path]
	if n == 0 {
		return
	}
	delete(e.policy.Documents, path)
	last := uint32(len(e.documents))
	e.documents[n-1] = e.documents[last-1]
	for p, at := range e.policy.Documents {
		if at == last {
			e.policy.Documents[p] = n
		}
	}
	e.documents = e.documents[:last-1]
}

// document makes the document of a resource.
func (a *authenticator) document(resource string) *document {
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
	return d
}

// serveDocument responds with metadata.
func (c *conn) serveDocument() {
	l := c.loop
	at := l.srv.endpoints.Load() // perhaps newer than the verdict, so the path counts
	n := at.policy.Documents[string(l.req.Path)]
	if n == 0 {
		c.plain(404, "no such resource\n")
		return
	}
	d := at.documents[n-1]
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
