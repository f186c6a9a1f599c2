package mcp

import "encoding/json"

// contentList returns cs in the form that the revision has. If nothing changes it returns cs
// itself, which costs nothing.
func (w *wire) contentList(cs []Content) []Content {
	if w.all() {
		return cs
	}
	out := cs
	for i, c := range cs {
		own := w.content(c)
		if own == c {
			continue
		}
		if &out[0] == &cs[0] {
			out = append([]Content(nil), cs...)
		}
		out[i] = own
	}
	return out
}

// toolResult returns r, which is not nil, in the form that the revision has. Structured content
// that it does not have becomes text if there is no other content.
func (w *wire) toolResult(r *CallToolResult) (*CallToolResult, error) {
	if w.all() {
		return r, nil
	}
	content := w.contentList(r.Content)
	if r.StructuredContent == nil {
		if len(content) == 0 || &content[0] == &r.Content[0] {
			return r, nil
		}
		return &CallToolResult{Content: content, IsError: r.IsError}, nil
	}
	text, err := marshal(r.StructuredContent)
	if err != nil {
		return nil, err
	}
	out := &CallToolResult{Content: content, IsError: r.IsError}
	if w.takes(text) {
		out.StructuredContent = json.RawMessage(text)
	} else if len(content) == 0 {
		out.Content = []Content{&TextContent{Text: string(text)}}
	}
	return out, nil
}

// takes reports whether structured, which is JSON, may be structured content in the revision.
func (w *wire) takes(structured []byte) bool {
	return w.structured == structuredAny || w.structured == structuredObject && isObject(structured)
}

// promptMessages returns ms in the form that the revision has.
func (w *wire) promptMessages(ms []*PromptMessage) []*PromptMessage {
	if w.all() {
		return ms
	}
	out := append([]*PromptMessage(nil), ms...)
	for i, m := range ms {
		if m == nil {
			continue
		}
		if own := w.content(m.Content); own != m.Content {
			out[i] = &PromptMessage{Content: own, Role: m.Role}
		}
	}
	return out
}

// resourceContents returns cs in the form that the revision has.
func (w *wire) resourceContents(cs []*ResourceContents) []*ResourceContents {
	if w.meta {
		return cs
	}
	out := append([]*ResourceContents(nil), cs...)
	for i, c := range cs {
		if c != nil {
			out[i] = w.contents(c)
		}
	}
	return out
}
