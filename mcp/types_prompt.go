package mcp

// A Prompt is a template of messages that a user may choose. Name is required.
type Prompt struct {
	Meta        `json:"_meta,omitempty"`
	Arguments   []*PromptArgument `json:"arguments,omitempty"`
	Description string            `json:"description,omitempty"`
	Name        string            `json:"name"`
	Title       string            `json:"title,omitempty"`
	Icons       []Icon            `json:"icons,omitempty"`
}

// A PromptArgument is an argument of a [Prompt]. Name is required.
type PromptArgument struct {
	Name        string `json:"name"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Required    bool   `json:"required,omitzero"`
}

// A PromptMessage is one message of a prompt.
type PromptMessage struct {
	Content Content `json:"content"`
	Role    Role    `json:"role"`
}

// MarshalJSON returns an error if the content is nil.
func (m *PromptMessage) MarshalJSON() ([]byte, error) { return m.appendJSON(nil) }

func (m *PromptMessage) appendJSON(dst []byte) ([]byte, error) {
	dst, err := appendContent(append(dst, `{"content":`...), m.Content)
	if err != nil {
		return dst, err
	}
	dst = appendString(append(dst, `,"role":`...), string(m.Role))
	return append(dst, '}'), nil
}

// GetPromptParams are the params of prompts/get.
type GetPromptParams struct {
	Meta      `json:"_meta,omitempty"`
	Arguments map[string]string `json:"arguments,omitempty"`
	Name      string            `json:"name"`
	// answers to an earlier result's InputRequests
	InputResponses InputResponseMap `json:"inputResponses,omitempty"`
	// the RequestState of that result
	RequestState string `json:"requestState,omitempty"`
}

// GetPromptResult is the result of prompts/get. A handler that needs an answer from the client sets
// InputRequests, RequestState or both instead of Messages.
type GetPromptResult struct {
	Meta          `json:"_meta,omitempty"`
	Description   string           `json:"description,omitempty"`
	Messages      []*PromptMessage `json:"messages"`
	InputRequests InputRequestMap  `json:"inputRequests,omitempty"`
	RequestState  string           `json:"requestState,omitempty"`
}

// NeedsInput reports whether r asks the client instead of answering it.
func (r *GetPromptResult) NeedsInput() bool { return r.InputRequests != nil || r.RequestState != "" }

// appendMembers appends the members of a complete result without _meta and
// resultType, which depend on the revision.
func (r *GetPromptResult) appendMembers(dst []byte) ([]byte, error) {
	dst = append(dst, `"messages":[`...)
	for i, m := range r.Messages {
		if i > 0 {
			dst = append(dst, ',')
		}
		if m == nil {
			return dst, errNilContent
		}
		var err error
		if dst, err = m.appendJSON(dst); err != nil {
			return dst, err
		}
	}
	dst = append(dst, ']')
	return appendStringMember(dst, `,"description":`, r.Description), nil
}

// MarshalJSON writes the result in the form of revisions before 2026-07-28, without resultType.
func (r *GetPromptResult) MarshalJSON() ([]byte, error) {
	return marshalMembers(r.Meta, r.appendMembers)
}
