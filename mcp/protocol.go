package mcp

// These are the keys of _meta that revision 2026-07-28 reserves (basic/index, "_meta"). A request
// carries the first four, a result the fifth, and a message of a subscription the last.
const (
	MetaKeyProtocolVersion    = "io.modelcontextprotocol/protocolVersion"
	MetaKeyClientInfo         = "io.modelcontextprotocol/clientInfo"
	MetaKeyClientCapabilities = "io.modelcontextprotocol/clientCapabilities"
	MetaKeyLogLevel           = "io.modelcontextprotocol/logLevel"
	MetaKeyServerInfo         = "io.modelcontextprotocol/serverInfo"
	MetaKeySubscriptionID     = "io.modelcontextprotocol/subscriptionId"
)

// Meta is the _meta object of a message or of a part of one. It is metadata that passes through
// unread, except for the MetaKey constants. An empty Meta is left out.
type Meta map[string]any

// A Role names a speaker in a conversation: "user" or "assistant".
type Role string

// These are the roles that the protocol defines.
const (
	RoleUser      Role = "user"
	RoleAssistant Role = "assistant"
)

// Implementation describes a program that speaks MCP. Name and Version are required. Title exists
// since 2025-06-18, the other fields since 2025-11-25.
type Implementation struct {
	Name        string `json:"name"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Version     string `json:"version"`
	WebsiteURL  string `json:"websiteUrl,omitempty"` // a URI
	Icons       []Icon `json:"icons,omitempty"`
}

// An Icon is an image that a client may show for the thing that has it.
type Icon struct {
	Source   string    `json:"src"`                // an https: or data: URI; required
	MIMEType string    `json:"mimeType,omitempty"` // overrides the type that the source reports
	Sizes    []string  `json:"sizes,omitempty"`    // "48x48", or "any" for a scalable image
	Theme    IconTheme `json:"theme,omitempty"`    // the background it is made for; "" for any
}

// IconTheme is the background that an Icon is made for.
type IconTheme string

// These are the themes that the protocol defines.
const (
	IconThemeLight IconTheme = "light"
	IconThemeDark  IconTheme = "dark"
)

// Annotations tell a client how to use or show the thing that has them.
type Annotations struct {
	Audience     []Role  `json:"audience,omitempty"`     // the roles it is meant for
	LastModified string  `json:"lastModified,omitempty"` // RFC 3339; since 2025-06-18
	Priority     float64 `json:"priority,omitzero"`      // 0 (optional) to 1 (effectively required)
}

// ServerCapabilities is what a server offers. A nil pointer means that the server does not offer
// it.
type ServerCapabilities struct {
	Experimental map[string]any `json:"experimental,omitempty"`
	// settings by extension name; since 2026-07-28
	Extensions  map[string]any          `json:"extensions,omitempty"`
	Completions *CompletionCapabilities `json:"completions,omitzero"` // since 2025-03-26
	Logging     *LoggingCapabilities    `json:"logging,omitzero"`
	Prompts     *PromptCapabilities     `json:"prompts,omitzero"`
	Resources   *ResourceCapabilities   `json:"resources,omitzero"`
	Tools       *ToolCapabilities       `json:"tools,omitzero"`
}

// AddExtension declares the extension with the name. Nil settings become an empty object, which is
// how an extension without settings is declared.
func (c *ServerCapabilities) AddExtension(name string, settings map[string]any) {
	c.Extensions = addExtension(c.Extensions, name, settings)
}

// CompletionCapabilities declares completion/complete.
type CompletionCapabilities struct{}

// LoggingCapabilities declares that the server sends notifications/message.
type LoggingCapabilities struct{}

// PromptCapabilities declares prompts.
type PromptCapabilities struct {
	ListChanged bool `json:"listChanged,omitzero"`
}

// ResourceCapabilities declares resources.
type ResourceCapabilities struct {
	ListChanged bool `json:"listChanged,omitzero"`
	Subscribe   bool `json:"subscribe,omitzero"`
}

// ToolCapabilities declares tools.
type ToolCapabilities struct {
	ListChanged bool `json:"listChanged,omitzero"`
}

// ClientCapabilities is what a client can do for a server. A client declares it for each request in
// 2026-07-28, and for a session before. A nil pointer means that the client cannot do it.
type ClientCapabilities struct {
	Experimental map[string]any `json:"experimental,omitempty"`
	Extensions   map[string]any `json:"extensions,omitempty"` // since 2026-07-28
	// Roots repeats what RootsV2 says, without saying whether the client has roots. It has this
	// shape for programs for the official Go SDK.
	Roots struct {
		ListChanged bool `json:"listChanged,omitempty"`
	} `json:"-"`
	RootsV2     *RootCapabilities        `json:"roots,omitzero"`
	Sampling    *SamplingCapabilities    `json:"sampling,omitzero"`
	Elicitation *ElicitationCapabilities `json:"elicitation,omitzero"` // since 2025-06-18
}

// MarshalJSON writes RootsV2, or Roots if only that is set.
func (c *ClientCapabilities) MarshalJSON() ([]byte, error) {
	type plain ClientCapabilities
	p := plain(*c)
	if p.RootsV2 == nil && p.Roots.ListChanged {
		p.RootsV2 = (*RootCapabilities)(&p.Roots)
	}
	return marshal(&p)
}

// UnmarshalJSON reads RootsV2 and sets Roots by it.
func (c *ClientCapabilities) UnmarshalJSON(data []byte) error {
	type plain ClientCapabilities
	var p plain
	if err := decodeExact(data, &p); err != nil {
		return err
	}
	if p.RootsV2 != nil {
		p.Roots = *p.RootsV2
	}
	*c = ClientCapabilities(p)
	return nil
}

// AddExtension declares the extension with the name, as [ServerCapabilities.AddExtension] does.
func (c *ClientCapabilities) AddExtension(name string, settings map[string]any) {
	c.Extensions = addExtension(c.Extensions, name, settings)
}

// RootCapabilities declares roots/list.
type RootCapabilities struct {
	ListChanged bool `json:"listChanged,omitempty"` // before 2026-07-28
}

// SamplingCapabilities declares sampling/createMessage.
type SamplingCapabilities struct {
	// includeContext other than "none"; since 2025-11-25
	Context *SamplingContextCapabilities `json:"context,omitzero"`
	// tools and toolChoice; since 2025-11-25
	Tools *SamplingToolsCapabilities `json:"tools,omitzero"`
}

// SamplingContextCapabilities declares values of includeContext other than "none".
type SamplingContextCapabilities struct{}

// SamplingToolsCapabilities declares tool use in sampling.
type SamplingToolsCapabilities struct{}

// ElicitationCapabilities declares elicitation/create. If it names no mode, it means form mode
// (client/elicitation, "Capabilities").
type ElicitationCapabilities struct {
	Form *FormElicitationCapabilities `json:"form,omitzero"`
	URL  *URLElicitationCapabilities  `json:"url,omitzero"` // since 2025-11-25
}

// FormElicitationCapabilities declares form mode.
type FormElicitationCapabilities struct{}

// URLElicitationCapabilities declares URL mode.
type URLElicitationCapabilities struct{}

func addExtension(m map[string]any, name string, settings map[string]any) map[string]any {
	if m == nil {
		m = make(map[string]any, 1)
	}
	if settings == nil {
		settings = map[string]any{}
	}
	m[name] = settings
	return m
}
