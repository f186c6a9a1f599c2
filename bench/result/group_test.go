package result

import (
	"strings"
	"testing"
)

// TestGroups checks that eras are compared separately, with a server without MCP next to each of
// them.
func TestGroups(t *testing.T) {
	for _, tt := range []struct{ runs, want string }{
		{"", ""},
		{"a:modern b:modern", "At 2026-07-28: a b"},
		{"a:legacy", "With sessions, at 2025-11-25: a"},
		{"n:plain", "Event streams without MCP: n"},
		{"n:plain a:modern", "At 2026-07-28: n a"},
		{"a:legacy b:modern c:legacy", "At 2026-07-28: b; With sessions, at 2025-11-25: a c"},
		{"n:plain a:modern b:legacy m:plain", "At 2026-07-28: a n m; With sessions, at 2025-11-25: b n m"},
		{"a: b:future c:modern n:plain", "At 2026-07-28: c n; In an unknown era: a b n"},
	} {
		var runs []*Run
		for _, f := range strings.Fields(tt.runs) {
			label, era, _ := strings.Cut(f, ":")
			runs = append(runs, &Run{Server: Server{Label: label, Era: era}})
		}
		var got []string
		for _, g := range Groups(runs) {
			text := g.Title + ":"
			for _, r := range g.Runs {
				text += " " + r.Server.Label
			}
			got = append(got, text)
		}
		if text := strings.Join(got, "; "); text != tt.want {
			t.Errorf("%s: %s, want %s", tt.runs, text, tt.want)
		}
	}
}
