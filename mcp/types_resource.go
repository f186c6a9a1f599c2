package mcp

// A Resource is something that resources/read can fetch. URI and Name are
// required.
type Resource struct {
	Meta        `json:"_meta,omitempty"`
	Annotations *Annotations `json:"annotations,omitzero"`
	Description string       `json:"description,omitempty"`
	MIMEType    string       `json:"mimeType,omitempty"`
	Name        string       `json:"name"`
	// length of the raw contents in bytes; 0 if unknown
	Size  int64  `json:"size,omitzero"`
	Title string `json:"title,omitempty"`
	URI   string `json:"uri"`
	Icons []Icon `json:"icons,omitempty"`
}

// A ResourceTemplate is a family of resources, named by an RFC 6570 template.
// URITemplate and Name are required.
type ResourceTemplate struct {
	Meta        `json:"_meta,omitempty"`
	Annotations *Annotations `json:"annotations,omitzero"`
	Description string       `json:"description,omitempty"`
	// if it is the same for all matching resources
	MIMEType    string `json:"mimeType,omitempty"`
	Name        string `json:"name"`
	Title       string `json:"title,omitempty"`
	URITemplate string `json:"uriTemplate"`
	Icons       []Icon `json:"icons,omitempty"`
}

// ResourceContents is the contents of a resource or of a part of it. The contents are binary if
// Blob is not nil, and otherwise text, which may be empty.
type ResourceContents struct {
	URI      string `json:"uri"`
	MIMEType string `json:"mimeType,omitempty"`
	Text     string `json:"text,omitempty"`
	Blob     []byte `json:"blob,omitzero"` // base64 on the wire
	Meta     Meta   `json:"_meta,omitempty"`
}

// MarshalJSON writes either "text" or "blob". The schema wants one of them even if it is empty.
func (r *ResourceContents) MarshalJSON() ([]byte, error) { return r.appendJSON(nil) }

func (r *ResourceContents) appendJSON(dst []byte) ([]byte, error) {
	dst = append(dst, `{"uri":`...)
	dst = appendString(dst, r.URI)
	dst = appendStringMember(dst, `,"mimeType":`, r.MIMEType)
	if r.Blob != nil {
		dst = appendBase64(append(dst, `,"blob":`...), r.Blob)
	} else {
		dst = appendString(append(dst, `,"text":`...), r.Text)
	}
	return appendContentEnd(dst, nil, r.Meta)
}

// ReadResourceParams are the params of resources/read.
type ReadResourceParams struct {
	Meta `json:"_meta,omitempty"`
	URI  string `json:"uri"`
	// answers to an earlier result's InputRequests
	InputResponses InputResponseMap `json:"inputResponses,omitempty"`
	// the RequestState of that result
	RequestState string `json:"requestState,omitempty"`
}

// ReadResourceResult is the result of resources/read. A handler that needs an answer from the
// client sets InputRequests, RequestState or both instead of Contents.
type ReadResourceResult struct {
	Meta `json:"_meta,omitempty"`
	Cacheable
	Contents      []*ResourceContents `json:"contents"`
	InputRequests InputRequestMap     `json:"inputRequests,omitempty"`
	RequestState  string              `json:"requestState,omitempty"`
}

// NeedsInput reports whether r asks the client instead of answering it.
func (r *ReadResourceResult) NeedsInput() bool { return r.InputRequests != nil || r.RequestState != "" }

// appendMembers appends the members of a complete result without _meta,
// resultType and caching fields, which depend on the revision.
func (r *ReadResourceResult) appendMembers(dst []byte) ([]byte, error) {
	dst = append(dst, `"contents":[`...)
	for i, c := range r.Contents {
		if i > 0 {
			dst = append(dst, ',')
		}
		if c == nil {
			return dst, errNilContent
		}
		var err error
		if dst, err = c.appendJSON(dst); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

// MarshalJSON writes the result in the form of revisions before 2026-07-28, without resultType and
// caching fields.
func (r *ReadResourceResult) MarshalJSON() ([]byte, error) {
	return marshalMembers(r.Meta, r.appendMembers)
}
