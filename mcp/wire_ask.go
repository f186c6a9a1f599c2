package mcp

import (
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// askParams returns the params of the request that asks r, which is not nil, in the revision. It
// returns an error if the revision cannot ask all of r, because the rest would be another question.
func (w *wire) askParams(r InputRequest) ([]byte, error) {
	switch r := r.(type) {
	case *ElicitParams:
		return w.elicitation(r)
	case *CreateMessageParams:
		own := *r
		own.Messages = make([]*SamplingMessage, len(r.Messages))
		for i, m := range r.Messages {
			if m == nil {
				return nil, errNilContent
			}
			block, err := w.samplingBlock(m.Content)
			if err != nil {
				return nil, err
			}
			own.Messages[i] = &SamplingMessage{Content: block, Role: m.Role}
		}
		return marshal(&own)
	case *CreateMessageWithToolsParams:
		return w.samplingWithTools(r)
	}
	return marshal(r)
}

// elicitation returns the params of elicitation/create.
func (w *wire) elicitation(p *ElicitParams) ([]byte, error) {
	type plain ElicitParams
	own := plain(*p)
	own.Mode = p.mode()
	if own.Mode == ElicitModeURL {
		own.RequestedSchema = nil
		switch {
		case !w.elicitID:
			own.ElicitationID = ""
		case own.ElicitationID == "":
			own.ElicitationID = rand.Text() // the client must be able to tell elicitations apart
		}
		return appendValue(nil, own)
	}
	own.URL, own.ElicitationID = "", ""
	if own.RequestedSchema == nil {
		own.RequestedSchema = emptyForm{Type: "object"}
	}
	if !w.elicitMode {
		own.Mode = ""
		form, err := marshal(own.RequestedSchema)
		if err != nil {
			return nil, err
		}
		props, _ := jsonrpc.Member(form, "properties")
		for name, prop := range jsonrpc.Members(props) {
			if kind, _ := jsonrpc.Member(prop, "type"); jsonrpc.EqualString(kind, "array") {
				return nil, fmt.Errorf("mcp: form field %q: the client's revision does not have fields with several values", name)
			}
		}
	}
	return appendValue(nil, own)
}

// samplingWithTools returns the params of sampling/createMessage. In a revision without messages of
// several blocks, such a message becomes several messages.
func (w *wire) samplingWithTools(p *CreateMessageWithToolsParams) ([]byte, error) {
	own := *p
	own.Messages = nil
	for _, m := range p.Messages {
		if m == nil {
			return nil, errNilContent
		}
		blocks := make([]Content, len(m.Content))
		for i, c := range m.Content {
			var err error
			if blocks[i], err = w.samplingBlock(c); err != nil {
				return nil, err
			}
		}
		if w.manyBlocks {
			own.Messages = append(own.Messages, &SamplingMessageV2{Content: blocks, Role: m.Role})
			continue
		}
		for i := range blocks {
			own.Messages = append(own.Messages, &SamplingMessageV2{Content: blocks[i : i+1], Role: m.Role})
		}
	}
	own.Tools = make([]*Tool, len(p.Tools))
	for i, t := range p.Tools {
		if t == nil {
			return nil, errNilContent
		}
		var err error
		if own.Tools[i], err = w.tool(t); err != nil {
			return nil, err
		}
	}
	return marshal(&own)
}

var errToolBlocks = errors.New("mcp: the client's revision does not have tools in sampling")

// samplingBlock returns c in the form that the revision has for messages of sampling.
func (w *wire) samplingBlock(c Content) (Content, error) {
	switch c := c.(type) {
	case nil:
		return nil, errNilContent
	case *ToolUseContent:
		if !w.manyBlocks {
			return nil, errToolBlocks
		}
	case *ToolResultContent:
		if !w.manyBlocks {
			return nil, errToolBlocks
		}
		if c == nil {
			return nil, errNilContent
		}
		res, err := w.toolResult(&CallToolResult{Content: c.Content, StructuredContent: c.StructuredContent, IsError: c.IsError})
		if err != nil {
			return nil, err
		}
		return &ToolResultContent{
			ToolUseID: c.ToolUseID, Content: res.Content, StructuredContent: res.StructuredContent,
			IsError: c.IsError, Meta: c.Meta,
		}, nil
	}
	return w.content(c), nil
}
