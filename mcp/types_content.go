package mcp

import (
	"errors"

	"github.com/goccy/go-json/jsontext"
	jsonv2 "github.com/goccy/go-json/v2"
)

// contentSet says which types of block are allowed in a place.
type contentSet bool

const (
	plainContent contentSet = false // tools and prompts
	// messages of sampling: also tool_use and tool_result, no resources
	samplingContent contentSet = true
)

// contentWire has the members of all types of block.
type contentWire struct {
	Type              string            `json:"type"`
	Text              *string           `json:"text"`
	Data              []byte            `json:"data"`
	MIMEType          string            `json:"mimeType"`
	Resource          *ResourceContents `json:"resource"`
	URI               string            `json:"uri"`
	Name              string            `json:"name"`
	Title             string            `json:"title"`
	Description       string            `json:"description"`
	Size              *int64            `json:"size"`
	Icons             []Icon            `json:"icons"`
	ID                string            `json:"id"`
	Input             map[string]any    `json:"input"`
	ToolUseID         string            `json:"toolUseId"`
	Content           jsontext.Value    `json:"content"`
	StructuredContent any               `json:"structuredContent"`
	IsError           bool              `json:"isError"`
	Annotations       *Annotations      `json:"annotations"`
	Meta              Meta              `json:"_meta"`
}

// decodeBlocks decodes one block, or an array of blocks.
func decodeBlocks(data jsontext.Value, set contentSet) ([]Content, error) {
	if data.Kind() != '[' {
		c, err := decodeContent(data, set)
		if err != nil {
			return nil, err
		}
		return []Content{c}, nil
	}
	return decodeContents(data, set)
}

// decodeContents decodes an array of blocks. It is never nil without an error.
func decodeContents(data jsontext.Value, set contentSet) ([]Content, error) {
	var raw []jsontext.Value
	if err := jsonv2.Unmarshal(data, &raw); err != nil {
		return nil, err
	}
	cs := make([]Content, 0, len(raw))
	for _, r := range raw {
		c, err := decodeContent(r, set)
		if err != nil {
			return nil, err
		}
		cs = append(cs, c)
	}
	return cs, nil
}

// decodeContent decodes one block. It refuses a block without a member that its
// type requires. It copies what it keeps.
func decodeContent(data jsontext.Value, set contentSet) (Content, error) {
	var w contentWire
	if len(data) == 0 {
		return nil, errors.New("mcp: content missing")
	}
	if err := jsonv2.Unmarshal(data, &w, exactNumbers); err != nil {
		return nil, err
	}
	switch {
	case w.Type == "text" && w.Text != nil:
		return &TextContent{Text: *w.Text, Meta: w.Meta, Annotations: w.Annotations}, nil
	case w.Type == "image" && w.Data != nil && w.MIMEType != "":
		return &ImageContent{Data: w.Data, MIMEType: w.MIMEType, Meta: w.Meta, Annotations: w.Annotations}, nil
	case w.Type == "audio" && w.Data != nil && w.MIMEType != "":
		return &AudioContent{Data: w.Data, MIMEType: w.MIMEType, Meta: w.Meta, Annotations: w.Annotations}, nil
	case w.Type == "resource_link" && set == plainContent && w.URI != "" && w.Name != "":
		return &ResourceLink{
			URI: w.URI, Name: w.Name, Title: w.Title, Description: w.Description, MIMEType: w.MIMEType,
			Size: w.Size, Icons: w.Icons, Meta: w.Meta, Annotations: w.Annotations,
		}, nil
	case w.Type == "resource" && set == plainContent && w.Resource != nil && w.Resource.URI != "":
		return &EmbeddedResource{Resource: w.Resource, Meta: w.Meta, Annotations: w.Annotations}, nil
	case w.Type == "tool_use" && set == samplingContent && w.ID != "" && w.Name != "" && w.Input != nil:
		return &ToolUseContent{ID: w.ID, Name: w.Name, Input: w.Input, Meta: w.Meta}, nil
	case w.Type == "tool_result" && set == samplingContent && w.ToolUseID != "":
		inner, err := decodeContents(w.Content, plainContent)
		if err != nil {
			return nil, err
		}
		return &ToolResultContent{
			ToolUseID: w.ToolUseID, Content: inner, StructuredContent: w.StructuredContent,
			IsError: w.IsError, Meta: w.Meta,
		}, nil
	}
	return nil, errors.New("mcp: content of an unknown type or without a required member")
}

// UnmarshalJSON decodes a result as a client does.
func (r *CallToolResult) UnmarshalJSON(data []byte) error {
	var w struct {
		Meta              Meta            `json:"_meta"`
		Content           jsontext.Value  `json:"content"`
		StructuredContent any             `json:"structuredContent"`
		IsError           bool            `json:"isError"`
		InputRequests     InputRequestMap `json:"inputRequests"`
		RequestState      string          `json:"requestState"`
	}
	if err := jsonv2.Unmarshal(data, &w, exactNumbers); err != nil {
		return err
	}
	var content []Content
	if w.Content != nil {
		var err error
		if content, err = decodeContents(w.Content, plainContent); err != nil {
			return err
		}
	}
	*r = CallToolResult{
		Meta: w.Meta, Content: content, StructuredContent: w.StructuredContent,
		IsError: w.IsError, InputRequests: w.InputRequests, RequestState: w.RequestState,
	}
	return nil
}

// UnmarshalJSON decodes a message of a prompt.
func (m *PromptMessage) UnmarshalJSON(data []byte) error {
	var w struct {
		Content jsontext.Value `json:"content"`
		Role    Role           `json:"role"`
	}
	if err := jsonv2.Unmarshal(data, &w, exactNumbers); err != nil {
		return err
	}
	c, err := decodeContent(w.Content, plainContent)
	if err != nil {
		return err
	}
	*m = PromptMessage{Content: c, Role: w.Role}
	return nil
}
