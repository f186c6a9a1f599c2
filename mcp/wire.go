package mcp

import (
	"encoding/json"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// The functions of this file return what a revision can write down of a value that a
// host gave: the value itself when that is all of it, otherwise a copy without the
// members that the revision does not have. They never change what they are given.

func (w *wire) implementation(i *Implementation) *Implementation {
	if w.profile {
		return i
	}
	out := &Implementation{Name: i.Name, Version: i.Version}
	if w.titles {
		out.Title = i.Title
	}
	return out
}

// capabilities returns c as the revision declares it.
func (rev *revision) capabilities(c *ServerCapabilities) *ServerCapabilities {
	w := &rev.wire
	if w.all() {
		return c
	}
	out := *c
	if !w.extensions {
		out.Extensions = nil
	}
	if !w.completions {
		out.Completions = nil
	}
	return &out
}

func (w *wire) annotations(a *Annotations) *Annotations {
	if a == nil || w.lastModified || a.LastModified == "" {
		return a
	}
	out := *a
	out.LastModified = ""
	return &out
}

// common clears what features have in common as far as the revision has it not.
func (w *wire) common(title *string, icons *[]Icon, meta *Meta) {
	if !w.titles {
		*title = ""
	}
	if !w.icons {
		*icons = nil
	}
	if !w.meta {
		*meta = nil
	}
}

// tool returns t as the revision lists it. Schemas are JSON or marshal to it.
func (w *wire) tool(t *Tool) (*Tool, error) {
	if w.all() {
		return t, nil
	}
	out := *t
	w.common(&out.Title, &out.Icons, &out.Meta)
	if !w.toolAnnotations {
		out.Annotations = nil
	}
	text, err := marshal(out.InputSchema)
	if err != nil {
		return nil, err
	}
	out.InputSchema = json.RawMessage(objectSchema(text))
	if out.OutputSchema == nil {
		return &out, nil
	}
	if text, err = marshal(out.OutputSchema); err != nil {
		return nil, err
	}
	out.OutputSchema = nil
	// The earlier revisions know no other output than objects: of a tool that has another
	// they see its text.
	if kind, _ := jsonrpc.Member(text, "type"); w.structured != structuredNone && jsonrpc.EqualString(kind, "object") {
		out.OutputSchema = json.RawMessage(objectSchema(text))
	}
	return &out, nil
}

// objectSchema returns text, a schema, with objects in the place of the true and false
// that may stand for the schema of a property since JSON Schema draft 6: before
// 2026-07-28 the protocol wants objects there.
func objectSchema(text []byte) []byte {
	props, _ := jsonrpc.Member(text, "properties")
	if !isObject(props) || !hasBoolean(props) {
		return text
	}
	out := []byte{'{'}
	for name, value := range jsonrpc.Members(text) {
		out = appendName(out, name)
		if string(name) != "properties" {
			out = append(out, value...)
			continue
		}
		out = append(out, '{')
		for name, value := range jsonrpc.Members(value) {
			out = appendName(out, name)
			switch string(value) {
			case "true":
				value = []byte(`{}`)
			case "false":
				value = []byte(`{"not":{}}`)
			}
			out = append(out, value...)
		}
		out = append(out, '}')
	}
	return append(out, '}')
}

func hasBoolean(obj []byte) bool {
	for _, value := range jsonrpc.Members(obj) {
		if s := string(value); s == "true" || s == "false" {
			return true
		}
	}
	return false
}

// appendName appends the name of a member, as [jsonrpc.Members] yields it, behind the
// members that dst ends with.
func appendName(dst, name []byte) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	return append(append(append(dst, '"'), name...), '"', ':')
}

func (w *wire) resource(r *Resource) *Resource {
	if w.all() {
		return r
	}
	out := *r
	w.common(&out.Title, &out.Icons, &out.Meta)
	out.Annotations = w.annotations(r.Annotations)
	return &out
}

func (w *wire) resourceTemplate(t *ResourceTemplate) *ResourceTemplate {
	if w.all() {
		return t
	}
	out := *t
	w.common(&out.Title, &out.Icons, &out.Meta)
	out.Annotations = w.annotations(t.Annotations)
	return &out
}

func (w *wire) prompt(p *Prompt) *Prompt {
	if w.all() {
		return p
	}
	out := *p
	w.common(&out.Title, &out.Icons, &out.Meta)
	if w.titles {
		return &out
	}
	out.Arguments = make([]*PromptArgument, len(p.Arguments))
	for i, a := range p.Arguments {
		plain := *a
		plain.Title = ""
		out.Arguments[i] = &plain
	}
	return &out
}

// An entryText is the JSON of a feature in a list, for each revision. Revisions that
// write the same share it.
type entryText [revisionCount][]byte

// newEntryText returns what encode makes of the feature for each revision.
func newEntryText(encode func(*wire) ([]byte, error)) (entryText, error) {
	var e entryText
	for i := range revisions {
		text, err := encode(&revisions[i].wire)
		if err != nil {
			return e, err
		}
		if i > 0 && string(text) == string(e[i-1]) {
			text = e[i-1]
		}
		e[i] = text
	}
	return e, nil
}
