package mcp

// InitializeParams are the params of initialize, which opens a session in revisions before
// 2026-07-28.
type InitializeParams struct {
	Meta            `json:"_meta,omitempty"`
	Capabilities    *ClientCapabilities `json:"capabilities"`
	ClientInfo      *Implementation     `json:"clientInfo"`
	ProtocolVersion string              `json:"protocolVersion"`
}

// InitializeResult is the result of initialize.
type InitializeResult struct {
	Meta            `json:"_meta,omitempty"`
	Capabilities    *ServerCapabilities `json:"capabilities"`
	Instructions    string              `json:"instructions,omitempty"`
	ProtocolVersion string              `json:"protocolVersion"`
	ServerInfo      *Implementation     `json:"serverInfo"`
}

// InitializedParams are the params of notifications/initialized.
type InitializedParams struct {
	Meta `json:"_meta,omitempty"`
}

// PingParams are the params of ping.
type PingParams struct {
	Meta `json:"_meta,omitempty"`
}

// SetLoggingLevelParams are the params of logging/setLevel.
type SetLoggingLevelParams struct {
	Meta  `json:"_meta,omitempty"`
	Level LoggingLevel `json:"level"`
}

// SubscribeParams are the params of resources/subscribe.
type SubscribeParams struct {
	Meta `json:"_meta,omitempty"`
	URI  string `json:"uri"`
}

// UnsubscribeParams are the params of resources/unsubscribe.
type UnsubscribeParams struct {
	Meta `json:"_meta,omitempty"`
	URI  string `json:"uri"`
}
