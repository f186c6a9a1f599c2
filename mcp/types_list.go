package mcp

// Cacheable tells a client how long and for whom it may keep a result
// (server/utilities/caching; since 2026-07-28).
type Cacheable struct {
	TTLMs      int    `json:"ttlMs"`      // milliseconds; 0 means stale at once
	CacheScope string `json:"cacheScope"` // "public" or "private"
}

// These are the scopes of a [Cacheable].
const (
	CachePublic  = "public"  // anyone may keep the result and share it between users
	CachePrivate = "private" // only the client that asked may keep the result
)

// GetTTLMs returns the time to live in milliseconds.
func (c Cacheable) GetTTLMs() int { return c.TTLMs }

// GetCacheScope returns the scope. "" means that the server chooses it for the kind of result.
func (c Cacheable) GetCacheScope() string { return c.CacheScope }

// ListToolsParams are the params of tools/list.
type ListToolsParams struct {
	Meta   `json:"_meta,omitempty"`
	Cursor string `json:"cursor,omitempty"` // NextCursor of the page before; "" for the first page
}

// ListPromptsParams are the params of prompts/list. See [ListToolsParams].
type ListPromptsParams struct {
	Meta   `json:"_meta,omitempty"`
	Cursor string `json:"cursor,omitempty"`
}

// ListResourcesParams are the params of resources/list. See [ListToolsParams].
type ListResourcesParams struct {
	Meta   `json:"_meta,omitempty"`
	Cursor string `json:"cursor,omitempty"`
}

// ListResourceTemplatesParams are the params of resources/templates/list. See [ListToolsParams].
type ListResourceTemplatesParams struct {
	Meta   `json:"_meta,omitempty"`
	Cursor string `json:"cursor,omitempty"`
}

// DiscoverParams are the params of server/discover, which exists since 2026-07-28.
type DiscoverParams struct {
	Meta `json:"_meta,omitempty"`
}

// ListToolsResult is the result of tools/list in the form that clients decode and middleware sees.
// Without middleware, a server sends lists that were encoded before.
type ListToolsResult struct {
	Meta `json:"_meta,omitempty"`
	Cacheable
	NextCursor string  `json:"nextCursor,omitempty"`
	Tools      []*Tool `json:"tools"`
}

// ListResourcesResult is the result of resources/list. See [ListToolsResult].
type ListResourcesResult struct {
	Meta `json:"_meta,omitempty"`
	Cacheable
	NextCursor string      `json:"nextCursor,omitempty"`
	Resources  []*Resource `json:"resources"`
}

// ListResourceTemplatesResult is the result of resources/templates/list. See [ListToolsResult].
type ListResourceTemplatesResult struct {
	Meta `json:"_meta,omitempty"`
	Cacheable
	NextCursor        string              `json:"nextCursor,omitempty"`
	ResourceTemplates []*ResourceTemplate `json:"resourceTemplates"`
}

// ListPromptsResult is the result of prompts/list. See [ListToolsResult].
type ListPromptsResult struct {
	Meta `json:"_meta,omitempty"`
	Cacheable
	NextCursor string    `json:"nextCursor,omitempty"`
	Prompts    []*Prompt `json:"prompts"`
}

// DiscoverResult is the result of server/discover, which exists since 2026-07-28.
type DiscoverResult struct {
	Meta `json:"_meta,omitempty"`
	Cacheable
	SupportedVersions []string            `json:"supportedVersions"`
	Capabilities      *ServerCapabilities `json:"capabilities"`
	Instructions      string              `json:"instructions,omitempty"`
}
