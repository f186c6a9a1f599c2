package suite

import (
	"strings"
	"testing"
)

// TestUnknownChoice checks that an unknown name is an error, and does not pass for a comparison of
// nothing.
func TestUnknownChoice(t *testing.T) {
	for want, o := range map[string]Options{`era "modrn"`: {Eras: []string{"modrn"}}, `scenario "idol"`: {Scenarios: []string{"idol"}}, `server "none"`: {Servers: []string{"none"}}} {
		if _, err := Compare(t.Context(), nil, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
