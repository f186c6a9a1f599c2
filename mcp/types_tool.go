package mcp

import (
	json "github.com/goccy/go-json"
)

// A Tool describes a function that a client may call. Name and InputSchema are required on the
// wire. The generic [AddTool] infers InputSchema and OutputSchema from its types if they are nil.
type Tool struct {
	Meta        `json:"_meta,omitempty"`
	Annotations *ToolAnnotations `json:"annotations,omitzero"` // since 2025-03-26
	Description string           `json:"description,omitempty"`
	// InputSchema is a value that marshals to a JSON Schema of type object. Clients get it
	// verbatim.
	InputSchema any    `json:"inputSchema"`
	Name        string `json:"name"`
	// OutputSchema is the same for the structured content; since 2025-06-18.
	OutputSchema any    `json:"outputSchema,omitempty"`
	Title        string `json:"title,omitempty"`
	Icons        []Icon `json:"icons,omitempty"`
}

// ToolAnnotations are hints about a tool. Clients do not trust them. A nil pointer means the
// specification's default, which is true for both.
type ToolAnnotations struct {
	DestructiveHint *bool `json:"destructiveHint,omitzero"` // may destroy something
	// repeating a call changes nothing more
	IdempotentHint bool   `json:"idempotentHint,omitzero"`
	OpenWorldHint  *bool  `json:"openWorldHint,omitzero"` // reaches beyond what the server owns
	ReadOnlyHint   bool   `json:"readOnlyHint,omitzero"`  // changes nothing
	Title          string `json:"title,omitempty"`
}

// CallToolParams are the params of tools/call that a client builds.
type CallToolParams struct {
	Meta           `json:"_meta,omitempty"`
	Name           string           `json:"name"`
	Arguments      any              `json:"arguments,omitempty"`
	InputResponses InputResponseMap `json:"inputResponses,omitempty"`
	RequestState   string           `json:"requestState,omitempty"`
}

// CallToolParamsRaw are the params of tools/call that a server receives. Arguments is the JSON
// object in the message, or nil.
type CallToolParamsRaw struct {
	Meta      `json:"_meta,omitempty"`
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments,omitempty"`
	// answers to an earlier result's InputRequests
	InputResponses InputResponseMap `json:"inputResponses,omitempty"`
	// the RequestState of that result
	RequestState string `json:"requestState,omitempty"`
}

// CallToolResult is the result of tools/call. A handler that needs an answer from the client sets
// InputRequests, RequestState or both instead of Content and StructuredContent.
type CallToolResult struct {
	Meta              `json:"_meta,omitempty"`
	Content           []Content       `json:"content"`
	StructuredContent any             `json:"structuredContent,omitempty"` // since 2025-06-18
	IsError           bool            `json:"isError,omitzero"`
	InputRequests     InputRequestMap `json:"inputRequests,omitempty"`
	RequestState      string          `json:"requestState,omitempty"`

	err error
}

// SetError makes r report that the tool failed. It sets IsError, and if r has no content, the text
// of err becomes the content.
func (r *CallToolResult) SetError(err error) {
	if len(r.Content) == 0 {
		r.Content = []Content{&TextContent{Text: err.Error()}}
	}
	r.IsError = true
	r.err = err
}

// GetError returns the error given to SetError, or nil. The error does not go to the client.
func (r *CallToolResult) GetError() error { return r.err }

// NeedsInput reports whether r asks the client instead of answering it.
func (r *CallToolResult) NeedsInput() bool { return r.InputRequests != nil || r.RequestState != "" }

// appendMembers appends the members of a complete result without _meta and
// resultType, which depend on the revision.
func (r *CallToolResult) appendMembers(dst []byte) ([]byte, error) {
	dst, err := appendContents(append(dst, `"content":`...), r.Content)
	if err != nil {
		return dst, err
	}
	if r.StructuredContent != nil {
		if dst, err = appendMember(dst, `,"structuredContent":`, r.StructuredContent); err != nil {
			return dst, err
		}
	}
	if r.IsError {
		dst = append(dst, `,"isError":true`...)
	}
	return dst, nil
}

// MarshalJSON writes the result in the form of revisions before 2026-07-28, without resultType.
func (r *CallToolResult) MarshalJSON() ([]byte, error) {
	return marshalMembers(r.Meta, r.appendMembers)
}
