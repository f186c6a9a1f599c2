package mcp

// UnsupportedProtocolVersionData is the data of error -32022.
type UnsupportedProtocolVersionData struct {
	Supported []string `json:"supported"`
	Requested string   `json:"requested"`
}

// MissingRequiredClientCapabilityData is the data of error -32021. Its
// capabilities hold only what is missing.
type MissingRequiredClientCapabilityData struct {
	RequiredCapabilities *ClientCapabilities `json:"requiredCapabilities"`
}
