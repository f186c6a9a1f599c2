package mcp

import (
	"errors"

	"github.com/goccy/go-json/jsontext"
	jsonv2 "github.com/goccy/go-json/v2"
)

// CreateMessageParams asks the client's model for a message. MaxTokens and Messages are required.
type CreateMessageParams struct {
	Meta `json:"_meta,omitempty"`
	// "none", "thisServer" or "allServers"
	IncludeContext string             `json:"includeContext,omitempty"`
	MaxTokens      int64              `json:"maxTokens"`
	Messages       []*SamplingMessage `json:"messages"`
	// an object for the model's provider
	Metadata         any               `json:"metadata,omitempty"`
	ModelPreferences *ModelPreferences `json:"modelPreferences,omitzero"`
	StopSequences    []string          `json:"stopSequences,omitempty"`
	SystemPrompt     string            `json:"systemPrompt,omitempty"`
	Temperature      float64           `json:"temperature,omitzero"`
}

func (*CreateMessageParams) askMethod() string { return askSampling }

// MarshalJSON writes Messages as an array even when it is nil.
func (p *CreateMessageParams) MarshalJSON() ([]byte, error) {
	type plain CreateMessageParams
	q := plain(*p)
	if q.Messages == nil {
		q.Messages = []*SamplingMessage{}
	}
	return appendValue(nil, q)
}

// CreateMessageWithToolsParams is [CreateMessageParams] with tools that the
// model may use, and messages of several blocks; since 2025-11-25.
type CreateMessageWithToolsParams struct {
	Meta             `json:"_meta,omitempty"`
	IncludeContext   string               `json:"includeContext,omitempty"`
	MaxTokens        int64                `json:"maxTokens"`
	Messages         []*SamplingMessageV2 `json:"messages"`
	Metadata         any                  `json:"metadata,omitempty"`
	ModelPreferences *ModelPreferences    `json:"modelPreferences,omitzero"`
	StopSequences    []string             `json:"stopSequences,omitempty"`
	SystemPrompt     string               `json:"systemPrompt,omitempty"`
	Temperature      float64              `json:"temperature,omitzero"`
	Tools            []*Tool              `json:"tools,omitempty"`
	ToolChoice       *ToolChoice          `json:"toolChoice,omitzero"`
}

func (*CreateMessageWithToolsParams) askMethod() string { return askSampling }

// MarshalJSON writes Messages as an array even when it is nil.
func (p *CreateMessageWithToolsParams) MarshalJSON() ([]byte, error) {
	type plain CreateMessageWithToolsParams
	q := plain(*p)
	if q.Messages == nil {
		q.Messages = []*SamplingMessageV2{}
	}
	return appendValue(nil, q)
}

// ToolChoice says whether the model may ("auto", the default), must
// ("required") or must not ("none") use a tool.
type ToolChoice struct {
	Mode string `json:"mode,omitempty"`
}

// ModelPreferences guides the choice of a model. Priorities lie between 0 and 1.
type ModelPreferences struct {
	CostPriority         float64      `json:"costPriority,omitzero"`
	Hints                []*ModelHint `json:"hints,omitempty"`
	IntelligencePriority float64      `json:"intelligencePriority,omitzero"`
	SpeedPriority        float64      `json:"speedPriority,omitzero"`
}

// A ModelHint is a part of a model's name.
type ModelHint struct {
	Name string `json:"name,omitempty"`
}

// SamplingMessage is a message of one block.
type SamplingMessage struct {
	Content Content `json:"content"`
	Role    Role    `json:"role"`
}

// MarshalJSON returns an error if the content is nil.
func (m *SamplingMessage) MarshalJSON() ([]byte, error) {
	return (*PromptMessage)(m).appendJSON(nil)
}

// UnmarshalJSON accepts content as one block or as an array of one block.
func (m *SamplingMessage) UnmarshalJSON(data []byte) error {
	w, err := decodeSampled(data)
	if err != nil {
		return err
	}
	c, err := w.block()
	if err != nil {
		return err
	}
	*m = SamplingMessage{Content: c, Role: w.Role}
	return nil
}

// SamplingMessageV2 is a message of several blocks; since 2025-11-25.
type SamplingMessageV2 struct {
	Content []Content `json:"content"`
	Role    Role      `json:"role"`
}

// MarshalJSON writes a single block without an array around it, which every revision understands.
func (m *SamplingMessageV2) MarshalJSON() ([]byte, error) {
	if len(m.Content) == 1 {
		return (&PromptMessage{Content: m.Content[0], Role: m.Role}).appendJSON(nil)
	}
	dst, err := appendContents([]byte(`{"content":`), m.Content)
	if err != nil {
		return nil, err
	}
	dst = appendString(append(dst, `,"role":`...), string(m.Role))
	return append(dst, '}'), nil
}

// UnmarshalJSON accepts content as one block or as an array of blocks.
func (m *SamplingMessageV2) UnmarshalJSON(data []byte) error {
	w, err := decodeSampled(data)
	if err != nil {
		return err
	}
	blocks, err := decodeBlocks(w.Content, samplingContent)
	if err != nil {
		return err
	}
	*m = SamplingMessageV2{Content: blocks, Role: w.Role}
	return nil
}

// CreateMessageResult is the message of one block that the client's model wrote.
type CreateMessageResult struct {
	Meta    `json:"_meta,omitempty"`
	Content Content `json:"content"`
	Model   string  `json:"model"`
	Role    Role    `json:"role"`
	// "endTurn", "stopSequence", "maxTokens" or another
	StopReason string `json:"stopReason,omitempty"`
}

func (*CreateMessageResult) isInputResponse() {}

// UnmarshalJSON accepts content as one block or as an array of one block. It refuses a result
// without content or with an unknown role.
func (r *CreateMessageResult) UnmarshalJSON(data []byte) error {
	w, err := decodeSampled(data)
	if err != nil {
		return err
	}
	c, err := w.block()
	if err != nil {
		return err
	}
	*r = CreateMessageResult{Meta: w.Meta, Content: c, Model: w.Model, Role: w.Role, StopReason: w.StopReason}
	return nil
}

// CreateMessageWithToolsResult is the message that the client's model wrote. Before 2025-11-25 it
// has exactly one block. Answers to both kinds of questions for the model have this type.
type CreateMessageWithToolsResult struct {
	Meta    `json:"_meta,omitempty"`
	Content []Content `json:"content"`
	Model   string    `json:"model"`
	Role    Role      `json:"role"`
	// "endTurn", "stopSequence", "maxTokens", "toolUse" or another
	StopReason string `json:"stopReason,omitempty"`
}

func (*CreateMessageWithToolsResult) isInputResponse() {}

// MarshalJSON writes a single block without an array around it, which every revision understands.
func (r *CreateMessageWithToolsResult) MarshalJSON() ([]byte, error) {
	type plain CreateMessageWithToolsResult
	if len(r.Content) == 1 {
		return marshal(&CreateMessageResult{r.Meta, r.Content[0], r.Model, r.Role, r.StopReason})
	}
	p := plain(*r)
	if p.Content == nil {
		p.Content = []Content{}
	}
	return marshal(&p)
}

// UnmarshalJSON accepts content as one block or as an array of blocks. It refuses a result without
// content or with an unknown role.
func (r *CreateMessageWithToolsResult) UnmarshalJSON(data []byte) error {
	w, err := decodeSampled(data)
	if err != nil {
		return err
	}
	blocks, err := decodeBlocks(w.Content, samplingContent)
	if err != nil {
		return err
	}
	*r = CreateMessageWithToolsResult{Meta: w.Meta, Content: blocks, Model: w.Model, Role: w.Role, StopReason: w.StopReason}
	return nil
}

// sampledWire has the members of messages to and from a model.
type sampledWire struct {
	Meta       Meta           `json:"_meta"`
	Content    jsontext.Value `json:"content"`
	Model      string         `json:"model"`
	Role       Role           `json:"role"`
	StopReason string         `json:"stopReason"`
}

// decodeSampled decodes a message. It refuses an unknown role.
func decodeSampled(data []byte) (w sampledWire, err error) {
	if err := jsonv2.Unmarshal(data, &w, exactNumbers); err != nil {
		return w, err
	}
	if w.Role != RoleUser && w.Role != RoleAssistant {
		return w, errors.New("mcp: unknown role of a message")
	}
	return w, nil
}

// block returns the only block of the content.
func (w *sampledWire) block() (Content, error) {
	blocks, err := decodeBlocks(w.Content, samplingContent)
	if err != nil {
		return nil, err
	}
	if len(blocks) != 1 {
		return nil, errors.New("mcp: a message of several blocks")
	}
	return blocks[0], nil
}

// ToolUseContent is a model's request to use a tool. It occurs only in sampling.
type ToolUseContent struct {
	ID    string
	Name  string
	Input map[string]any
	Meta  Meta
}

// ToolResultContent is the answer of a tool to a [ToolUseContent]. It occurs only in sampling.
type ToolResultContent struct {
	ToolUseID         string
	Content           []Content
	StructuredContent any
	IsError           bool
	Meta              Meta
}

// MarshalJSON implements [Content].
func (c *ToolUseContent) MarshalJSON() ([]byte, error) { return c.appendJSON(nil) }

// MarshalJSON implements [Content].
func (c *ToolResultContent) MarshalJSON() ([]byte, error) { return c.appendJSON(nil) }

func (c *ToolUseContent) appendJSON(dst []byte) ([]byte, error) {
	dst = appendString(append(dst, `{"type":"tool_use","id":`...), c.ID)
	dst = appendString(append(dst, `,"name":`...), c.Name)
	input := c.Input
	if input == nil {
		input = map[string]any{}
	}
	dst, err := appendMember(dst, `,"input":`, input)
	if err != nil {
		return dst, err
	}
	return appendContentEnd(dst, nil, c.Meta)
}

func (c *ToolResultContent) appendJSON(dst []byte) ([]byte, error) {
	dst = appendString(append(dst, `{"type":"tool_result","toolUseId":`...), c.ToolUseID)
	r := CallToolResult{Content: c.Content, StructuredContent: c.StructuredContent, IsError: c.IsError}
	dst, err := r.appendMembers(append(dst, ','))
	if err != nil {
		return dst, err
	}
	return appendContentEnd(dst, nil, c.Meta)
}
