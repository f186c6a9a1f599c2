package mcp

// content returns c in the form that the revision has. A type of content that it does not have
// becomes text, so that the model learns of it.
func (w *wire) content(c Content) Content {
	switch c := c.(type) {
	case *TextContent:
		if c == nil || w.plain(c.Meta, c.Annotations) {
			return c
		}
		out := *c
		out.Meta, out.Annotations = w.own(c.Meta), w.annotations(c.Annotations)
		return &out
	case *ImageContent:
		if c == nil || w.plain(c.Meta, c.Annotations) {
			return c
		}
		out := *c
		out.Meta, out.Annotations = w.own(c.Meta), w.annotations(c.Annotations)
		return &out
	case *AudioContent:
		if c == nil || w.audio && w.plain(c.Meta, c.Annotations) {
			return c
		}
		if !w.audio {
			return &TextContent{Text: "[audio: " + c.MIMEType + "]", Annotations: w.annotations(c.Annotations)}
		}
		out := *c
		out.Meta, out.Annotations = w.own(c.Meta), w.annotations(c.Annotations)
		return &out
	case *ResourceLink:
		if c == nil || w.resourceLinks && w.icons {
			return c
		}
		if !w.resourceLinks {
			return &TextContent{Text: linkText(c), Annotations: w.annotations(c.Annotations)}
		}
		out := *c
		out.Icons = nil // the revisions with links have the rest
		return &out
	case *EmbeddedResource:
		if c == nil || c.Resource == nil || w.meta {
			return c
		}
		return &EmbeddedResource{Resource: w.contents(c.Resource), Annotations: w.annotations(c.Annotations)}
	}
	return c
}

// plain reports whether the revision can write all of meta and a.
func (w *wire) plain(meta Meta, a *Annotations) bool {
	return (w.meta || meta == nil) && (w.lastModified || a == nil || a.LastModified == "")
}

func (w *wire) own(meta Meta) Meta {
	if w.meta {
		return meta
	}
	return nil
}

// linkText returns the text that stands for a link: its name, its URI and its description.
func linkText(l *ResourceLink) string {
	name := l.Title
	if name == "" {
		name = l.Name
	}
	text := l.URI
	if name != "" {
		text = name + ": " + text
	}
	if l.Description != "" {
		text += "\n" + l.Description
	}
	return text
}

// contents returns r, which is not nil, in the form that the revision has.
func (w *wire) contents(r *ResourceContents) *ResourceContents {
	if w.meta || r.Meta == nil {
		return r
	}
	out := *r
	out.Meta = nil
	return &out
}
