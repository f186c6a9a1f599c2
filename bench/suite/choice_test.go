package suite

import (
	"strings"
	"testing"
)

// TestUnknownChoice holds that a name that nothing has is told, and does not pass for a comparison of nothing.
func TestUnknownChoice(t *testing.T) {
	for want, o := range map[string]Options{`era "modrn"`: {Eras: []string{"modrn"}}, `scenario "idol"`: {Scenarios: []string{"idol"}}, `server "none"`: {Servers: []string{"none"}}} {
		if _, err := Compare(t.Context(), nil, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
