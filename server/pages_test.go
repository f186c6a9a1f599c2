package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
)

// A list longer than MaxResponse is served in pages that are shorter, and a tool that is too long
// by itself does not hide the others.
func TestListBeyondMaxResponse(t *testing.T) {
	for _, test := range []struct{ max, tools, bytes int }{
		{0, 1200, 9000},
		{64 << 10, 100, 9000},
		{16 << 10, 20, 9000},
	} {
		r := newRig(t, &Options{MaxResponse: test.max})
		for i := range test.tools {
			r.ms.AddTool(&mcp.Tool{
				Name: fmt.Sprintf("long-%04d", i), Description: strings.Repeat("x", test.bytes), InputSchema: map[string]any{"type": "object"},
			}, nil)
		}
		if test.max > 0 {
			r.ms.AddTool(&mcp.Tool{
				Name: "long-0005b", Description: strings.Repeat("x", test.max), InputSchema: map[string]any{"type": "object"},
			}, nil)
		}
		p := r.connect()
		got, cursor, pages := 0, "", 0
		for {
			q := request{method: "tools/list"}
			if cursor != "" {
				q.params = fmt.Sprintf(`"cursor":%q`, cursor)
			}
			p.send(q.String())
			r.await("a page", func() bool { return len(p.got) > 0 })
			body := p.wantCode("a page", 200, 0).body
			var page struct {
				Result struct {
					NextCursor string
					Tools      []struct{ Name string }
				}
			}
			if err := json.Unmarshal([]byte(body), &page); err != nil {
				t.Fatalf("%v in %.200s", err, body)
			}
			if pages++; pages > 10_000 {
				t.Fatal("the list never ends")
			}
			for _, tool := range page.Result.Tools {
				if strings.HasPrefix(tool.Name, "long-") {
					if want := fmt.Sprintf("long-%04d", got); tool.Name != want {
						t.Fatalf("got %s, want %s", tool.Name, want)
					}
					got++
				}
			}
			if cursor = page.Result.NextCursor; cursor == "" {
				break
			}
		}
		if got != test.tools {
			t.Errorf("MaxResponse %d: %d of %d tools on %d pages", test.max, got, test.tools, pages)
		}
	}
}
