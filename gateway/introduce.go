package gateway

import (
	"encoding/json"

	"github.com/mooring-mcp/mooring/mcp"
)

// maxInfo is the maximum length of what an upstream says of itself, which every result carries to
// clients of 2026-07-28. What is longer loses its icons, and then all but name and version.
const (
	maxInfo = 2 << 10
	maxWord = 256 // of a name or a version
)

// introduce lets the server of m's slot introduce itself as the upstream does. The caller holds
// applying.
func (m *member) introduce() {
	raw := m.lists.ServerInfo
	var impl mcp.Implementation
	if len(raw) == 0 || json.Unmarshal(raw, &impl) != nil || impl.Name == "" {
		return
	}
	if len(raw) > maxInfo {
		impl.Icons = nil
		if b, err := json.Marshal(&impl); err != nil || len(b) > maxInfo {
			impl = mcp.Implementation{Name: cut(impl.Name), Version: cut(impl.Version)}
		}
	}
	if impl.Version == "" {
		impl.Version = "0" // it must not be that of the gateway
	}
	if err := m.slot.own.SetImplementation(&impl); err != nil {
		m.g.log.Warn("gateway: an upstream cannot be introduced", "upstream", m.cfg.Name, "error", err)
	}
}

// cut returns the beginning of a text.
func cut(text string) string {
	for i := range text {
		if i > maxWord {
			return text[:i]
		}
	}
	return text
}
