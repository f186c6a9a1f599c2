package mcp

import (
	"encoding/json"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// The functions in this file return what a revision can write of a value that a host gave: the
// value itself if the revision can write all of it, and otherwise a copy without the members that
// the revision does not have. They never change their arguments.

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

// capabilities returns the part of c that the revision has.
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

// common clears those members common to all features that the revision does not have.
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

// tool returns t in the form that the revision lists. Its schemas are JSON or marshal to JSON.
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
	// Earlier revisions have no other output than objects. Their clients get any other output as
	// text.
	if kind, _ := jsonrpc.Member(text, "type"); w.structured != structuredNone && jsonrpc.EqualString(kind, "object") {
		out.OutputSchema = json.RawMessage(objectSchema(text))
	}
	return &out, nil
}

// objectSchema returns text, a schema, with objects in place of true and false as schemas of
// properties. JSON Schema allows those since draft 6, but the protocol wants objects before
// 2026-07-28.
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

// appendName appends the name of a member, in the form that [jsonrpc.Members] yields, to the
// members at the end of dst.
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

// An entryText is the JSON of a feature in a list, for each revision. Adjacent revisions with the
// same text share it.
type entryText [revisionCount][]byte

// newEntryText returns the texts that encode returns for each revision.
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
