package mcp

// Content is one block of what a tool or a prompt says: a pointer to a [TextContent],
// [ImageContent], [AudioContent], [ResourceLink] or [EmbeddedResource]. Messages of sampling may
// also hold pointers to [ToolUseContent] and [ToolResultContent]. No other types implement
// Content.
type Content interface {
	// MarshalJSON returns the block in the form of the protocol, with its "type".
	MarshalJSON() ([]byte, error)

	// appendJSON appends the same bytes to dst.
	appendJSON(dst []byte) ([]byte, error)
}

// TextContent is text for the model or the user.
type TextContent struct {
	Text        string
	Meta        Meta
	Annotations *Annotations
}

// ImageContent is an image. Data holds the image itself; it is encoded as base64 on the wire.
type ImageContent struct {
	Meta        Meta
	Annotations *Annotations
	Data        []byte
	MIMEType    string
}

// AudioContent is sound; it exists since 2025-03-26. Data holds the sound itself; it is encoded as
// base64 on the wire.
type AudioContent struct {
	Data        []byte
	MIMEType    string
	Meta        Meta
	Annotations *Annotations
}

// ResourceLink refers to a resource that the client may read; it exists since 2025-06-18. URI and
// Name are required.
type ResourceLink struct {
	URI         string
	Name        string
	Title       string
	Description string
	MIMEType    string
	Size        *int64
	Meta        Meta
	Annotations *Annotations
	Icons       []Icon
}

// EmbeddedResource is a resource with its contents. Resource must not be nil.
type EmbeddedResource struct {
	Resource    *ResourceContents
	Meta        Meta
	Annotations *Annotations
}

// MarshalJSON implements [Content].
func (c *TextContent) MarshalJSON() ([]byte, error) { return c.appendJSON(nil) }

// MarshalJSON implements [Content].
func (c *ImageContent) MarshalJSON() ([]byte, error) { return c.appendJSON(nil) }

// MarshalJSON implements [Content].
func (c *AudioContent) MarshalJSON() ([]byte, error) { return c.appendJSON(nil) }

// MarshalJSON implements [Content].
func (c *ResourceLink) MarshalJSON() ([]byte, error) { return c.appendJSON(nil) }

// MarshalJSON implements [Content].
func (c *EmbeddedResource) MarshalJSON() ([]byte, error) { return c.appendJSON(nil) }

func (c *TextContent) appendJSON(dst []byte) ([]byte, error) {
	dst = append(dst, `{"type":"text","text":`...)
	dst = appendString(dst, c.Text)
	return appendContentEnd(dst, c.Annotations, c.Meta)
}

func (c *ImageContent) appendJSON(dst []byte) ([]byte, error) {
	dst = append(dst, `{"type":"image","data":`...)
	dst = appendBase64(dst, c.Data)
	dst = append(dst, `,"mimeType":`...)
	dst = appendString(dst, c.MIMEType)
	return appendContentEnd(dst, c.Annotations, c.Meta)
}

func (c *AudioContent) appendJSON(dst []byte) ([]byte, error) {
	dst = append(dst, `{"type":"audio","data":`...)
	dst = appendBase64(dst, c.Data)
	dst = append(dst, `,"mimeType":`...)
	dst = appendString(dst, c.MIMEType)
	return appendContentEnd(dst, c.Annotations, c.Meta)
}

func (c *ResourceLink) appendJSON(dst []byte) ([]byte, error) {
	dst = append(dst, `{"type":"resource_link","uri":`...)
	dst = appendString(dst, c.URI)
	dst = append(dst, `,"name":`...)
	dst = appendString(dst, c.Name)
	dst = appendStringMember(dst, `,"title":`, c.Title)
	dst = appendStringMember(dst, `,"description":`, c.Description)
	dst = appendStringMember(dst, `,"mimeType":`, c.MIMEType)
	var err error
	if c.Size != nil {
		if dst, err = appendMember(dst, `,"size":`, *c.Size); err != nil {
			return dst, err
		}
	}
	if len(c.Icons) > 0 {
		if dst, err = appendMember(dst, `,"icons":`, c.Icons); err != nil {
			return dst, err
		}
	}
	return appendContentEnd(dst, c.Annotations, c.Meta)
}

func (c *EmbeddedResource) appendJSON(dst []byte) ([]byte, error) {
	if c.Resource == nil {
		return dst, errEmptyEmbed
	}
	dst = append(dst, `{"type":"resource","resource":`...)
	dst, err := c.Resource.appendJSON(dst)
	if err != nil {
		return dst, err
	}
	return appendContentEnd(dst, c.Annotations, c.Meta)
}

// appendContentEnd appends the members that every block may end with, and the closing brace.
func appendContentEnd(dst []byte, a *Annotations, m Meta) ([]byte, error) {
	var err error
	if a != nil {
		if dst, err = appendMember(dst, `,"annotations":`, a); err != nil {
			return dst, err
		}
	}
	if len(m) > 0 {
		if dst, err = appendMember(dst, `,"_meta":`, m); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// appendContents appends cs as a JSON array. It appends [] if there are none, because the schema
// wants an array even then.
func appendContents(dst []byte, cs []Content) ([]byte, error) {
	dst = append(dst, '[')
	for i, c := range cs {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendContent(dst, c); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

// appendContent appends c. It refuses the nil interface, which a handler may have left in its
// result.
func appendContent(dst []byte, c Content) ([]byte, error) {
	if c == nil {
		return dst, errNilContent
	}
	return c.appendJSON(dst)
}
