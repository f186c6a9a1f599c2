package upstream

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

const toolsChanged = `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`

func TestCatalogue(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.caps = `{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"listChanged":true},"completions":{}}`
		h.lists["tools/list"] = "{\"tools\":[{\"description\":\"say \\\"a\\\"\",\n \"name\":\"a\",\"x\":{\"name\":\"a\"}},{\"name\":\"b\"},{\"name\":\"a\"},7,{\"name\":1},{\"name\":\"\"},{}]}"
		h.lists["prompts/list"] = `{"prompts":[{"name":"p\u0061"}]}`
		h.lists["resources/list"] = `{"resources":[{"uri":"file:///a","name":"a"}]}`
		h.lists["resources/templates/list"] = `{"resourceTemplates":[{"uriTemplate":"file:///{x}"}]}`
		h.connect()
		c := h.s.Catalogue()
		if len(h.changed) != 1 || h.changed[0] != c {
			t.Fatalf("%d catalogues", len(h.changed))
		}
		for _, tt := range []struct {
			items []Item
			want  string
		}{
			{c.Tools, `a "a" b "b"`},
			{c.Prompts, `pa "p\u0061"`},
			{c.Resources, `file:///a "file:///a"`},
			{c.Templates, `file:///{x} "file:///{x}"`},
		} {
			var got []string
			for _, it := range tt.items {
				got = append(got, it.Key, string(it.Raw[it.KeyStart:it.KeyEnd]))
				if hasLineEnds(it.Raw) {
					t.Errorf("line ends in %q", it.Raw)
				}
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("items %v, want %s", got, tt.want)
			}
		}
		if c.Subscribe || !c.Completions || c.Logging {
			t.Errorf("capabilities %+v", c)
		}
		if string(c.ServerInfo) != `{"name":"legacy","version":"1"}` || c.Instructions != "be kind" || string(c.Capabilities) != h.caps || c.Public || c.TTL != 0 {
			t.Errorf("catalogue %+v", c)
		}
	})
}

func TestModernCatalogue(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.modern = true
		h.caps = `{"tools":{},"prompts":{}}`
		h.lists["tools/list"] = `{"tools":[],"ttlMs":20000,"cacheScope":"public"}`
		h.lists["prompts/list"] = `{"prompts":[],"ttlMs":10000,"cacheScope":"public"}`
		h.connect()
		c := h.s.Catalogue()
		if c.TTL != 10*time.Second || !c.Public || string(c.ServerInfo) != `{"name":"modern","version":"1"}` {
			t.Errorf("catalogue %+v", c)
		}
		// Nothing is announced, so that the lists are read again by the shorter time to live.
		pages := h.s.State().Counts.Pages
		h.after(11 * time.Second)
		if got := h.s.State().Counts.Pages; got != pages+2 {
			t.Errorf("%d pages, %d before", got, pages)
		}
	})
}

func TestPages(t *testing.T) {
	page := func(from, n int, next string) string {
		var b strings.Builder
		b.WriteString(`{"tools":[`)
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"name":"t%d"}`, from+i)
		}
		b.WriteString(`]`)
		if next != "" {
			b.WriteString(`,"nextCursor":` + next)
		}
		return b.String() + `}`
	}
	for _, tt := range []struct {
		name    string
		page    func(n int, cursor string) string
		want    int
		maxAsks int
	}{
		{"three pages", func(n int, cursor string) string {
			return page(10*n, 10, []string{`"one"`, `"\u0074wo"`, ""}[n])
		}, 30, 3},
		{"a cursor comes twice", func(n int, cursor string) string { return page(n, 1, []string{`"a"`, `"b"`}[n%2]) }, 3, 3},
		{"no end of pages", func(n int, cursor string) string { return page(n, 1, `"`+itoa(int64(n))+`"`) }, maxPages, maxPages},
		{"no end of entries", func(n int, cursor string) string { return page(n*1500, 1500, `"`+itoa(int64(n))+`"`) }, maxEntries, 7},
		{"an empty cursor", func(n int, cursor string) string { return page(n, 1, []string{`""`, ""}[n]) }, 2, 2},
		{"a cursor that is none", func(n int, cursor string) string { return page(n, 1, `7`) }, 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHarbor(t, Options{Stdio: true})
				n := 0
				var cursors []string
				h.script = func(l *fakeLink, m *link.Message) {
					if m.Method != "tools/list" {
						h.upstream(l, m)
						return
					}
					cursors = append(cursors, param(m, "cursor"))
					l.result(m.ID, tt.page(n, param(m, "cursor")))
					n++
				}
				h.connect()
				if got := len(h.s.Catalogue().Tools); got != tt.want || n != tt.maxAsks {
					t.Errorf("%d tools in %d pages, want %d in %d", got, n, tt.want, tt.maxAsks)
				}
				if tt.name == "three pages" && (cursors[1] != `"one"` || cursors[2] != `"\u0074wo"`) {
					t.Errorf("cursors %v", cursors)
				}
			})
		})
	}
}

func TestListChanged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.connect()
		l := h.last()
		before := l.sent("tools/list")
		for range 100 {
			l.says(0, toolsChanged)
		}
		h.after(debounce / 2)
		if l.sent("tools/list") != before {
			t.Error("read at once")
		}
		h.after(debounce)
		if got := l.sent("tools/list"); got != before+1 || len(h.changed) != 1 {
			t.Errorf("read %d times, %d catalogues", got-before, len(h.changed))
		}
		h.lists["tools/list"] = `{"tools":[{"name":"two"}]}`
		l.says(0, toolsChanged)
		h.after(debounce)
		if len(h.changed) != 2 || h.changed[1].Tools[0].Key != "two" {
			t.Errorf("%d catalogues", len(h.changed))
		}
	})
}

// TestChangeWhileReading checks that a change during a reading is read afterwards.
func TestChangeWhileReading(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{Stdio: true})
		h.silent["tools/list"] = true
		delete(h.lists, "tools/list")
		h.connect()
		l := h.last()
		m := l.only("tools/list")
		l.says(0, toolsChanged)
		h.after(debounce)
		l.result(m.ID, `{"tools":[{"name":"old"}]}`)
		h.after(debounce)
		l.result(l.only("tools/list").ID, `{"tools":[{"name":"new"}]}`)
		if c := h.s.Catalogue(); len(h.changed) != 2 || c.Tools[0].Key != "new" {
			t.Errorf("%d catalogues, %s", len(h.changed), c.Tools[0].Key)
		}
	})
}

func TestPolling(t *testing.T) {
	for _, tt := range []struct {
		name string
		caps string
		poll bool
	}{
		{"announced", `{"tools":{"listChanged":true}}`, false},
		{"not announced", `{"tools":{}}`, true},
		{"one of two", `{"tools":{"listChanged":true},"prompts":{}}`, true},
		{"no lists", `{"logging":{}}`, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := newHarbor(t, Options{})
				h.caps = tt.caps
				h.connect()
				pages := h.s.State().Counts.Pages
				h.after(67 * time.Second)
				if got := h.s.State().Counts.Pages > pages; got != tt.poll {
					t.Errorf("read again: %t", got)
				}
			})
		})
	}
}

// TestFailedList checks that a list that cannot be read is kept, and read again.
func TestFailedList(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{Stdio: true})
		h.connect()
		l := h.last()
		h.silent["tools/list"] = true
		delete(h.lists, "tools/list")
		l.says(0, toolsChanged)
		h.after(debounce)
		l.error(l.only("tools/list").ID, -32603, "ill")
		if len(h.changed) != 1 || len(h.s.Catalogue().Tools) != 1 || h.s.State().LastError == "" {
			t.Errorf("%d catalogues, %d tools", len(h.changed), len(h.s.Catalogue().Tools))
		}
		h.lists["tools/list"] = `{"tools":[]}`
		h.silent = map[string]bool{}
		h.after(5 * time.Second)
		if len(h.changed) != 2 {
			t.Error("not read again")
		}
	})
}

func TestInstructionsAreCut(t *testing.T) {
	text := strings.Repeat("é", maxInstructions)
	v := parseServer([]byte(`{"instructions":"x` + text + `"}`))
	if len(v.instructions) != maxInstructions-1 || !strings.HasSuffix(v.instructions, "é") {
		t.Errorf("%d bytes", len(v.instructions))
	}
}
