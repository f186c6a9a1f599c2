package wirecheck

import (
	"slices"
	"strings"
)

// The schemas leave all objects open, so that a member of a later revision is valid anywhere. This
// server must send only members that the revision defines.

// closedDefs are the definitions that are closed, in addition to all results.
var closedDefs = []string{
	"Annotations", "AudioContent", "BlobResourceContents", "EmbeddedResource", "Icon", "ImageContent",
	"Implementation", "Prompt", "PromptArgument", "PromptMessage", "Resource", "ResourceLink", "ResourceTemplate",
	"SamplingMessage", "ServerCapabilities", "TextContent", "TextResourceContents", "Tool", "ToolAnnotations",
}

// close forbids members that the definitions do not name: in features, content and results, and in
// the params of messages that a server sends.
func (r *revision) close() {
	for name, def := range r.defs {
		switch {
		case slices.Contains(closedDefs, name):
			closeObject(def)
			// In 2024-11-05, which has no definition for them.
			closeObject(property(def, "annotations"))
		case strings.HasSuffix(name, "Result"):
			closeObject(def)
		case strings.HasSuffix(name, "Notification"), strings.HasSuffix(name, "Request"):
			closeObject(property(def, "params"))
		case strings.HasSuffix(name, "Params"):
			closeObject(def)
		}
	}
}

// closeObject forbids members that schema does not name, unless it names none or says what others
// may be.
func closeObject(schema any) {
	s, _ := schema.(map[string]any)
	props, _ := s["properties"].(map[string]any)
	if _, told := s["additionalProperties"]; len(props) > 0 && !told {
		s["additionalProperties"] = false
	}
}

func property(schema any, name string) any {
	s, _ := schema.(map[string]any)
	props, _ := s["properties"].(map[string]any)
	return props[name]
}

// requires reports whether schema requires the member.
func requires(schema any, name string) bool {
	s, _ := schema.(map[string]any)
	list, _ := s["required"].([]any)
	return slices.Contains(list, any(name))
}
