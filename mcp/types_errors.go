package mcp

// UnsupportedProtocolVersionData is the data of error -32022.
type UnsupportedProtocolVersionData struct {
	Supported []string `json:"supported"`
	Requested string   `json:"requested"`
}

// MissingRequiredClientCapabilityData is the data of error -32021. It holds only the capabilities
// that are missing.
type MissingRequiredClientCapabilityData struct {
	RequiredCapabilities *ClientCapabilities `json:"requiredCapabilities"`
}
