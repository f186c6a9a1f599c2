package mcp

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/internal/wirecheck"
	"pgregory.net/rapid"
)

// addSized adds to each list a feature with the name and an entry of about n bytes.
func addSized(s *Server, name string, n int) {
	text := strings.Repeat("x", n)
	AddTool(s, &Tool{Name: name, Description: text}, echo)
	s.AddPrompt(&Prompt{Name: name, Description: text}, nil)
	s.AddResource(&Resource{Name: name, URI: "test://" + name, Description: text}, noRead)
	s.AddResourceTemplate(&ResourceTemplate{Name: name, URITemplate: "test://" + name + "/{id}", Description: text}, noRead)
}

// walk lists all pages and returns their bodies and the names in them.
func (c *client) walk(method, list, member string, meta *RequestMeta) (bodies []string, got [][]string) {
	c.t.Helper()
	members := ""
	for range 10_000 {
		m := *meta
		a := c.callHTTP(method, members, &m)
		a.wantResult(method)
		bodies, got = append(bodies, a.body), append(got, names(a, list, member))
		next, ok := a.result()["nextCursor"].(string)
		if !ok {
			return bodies, got
		}
		members = fmt.Sprintf(`"cursor":%q`, next)
	}
	c.t.Fatalf("%s: the pages have no end", method)
	return nil, nil
}

// For any lengths of the features, any limits of a page and any longest message of the transport,
// every feature that a message can hold is on exactly one page, in order, and no page exceeds its
// limits. That holds for each list and each revision, and also with middleware.
func TestPagesAreCutByBytes(t *testing.T) {
	pass := func(next MethodHandler) MethodHandler { return next }
	rapid.Check(t, func(rt *rapid.T) {
		// more than a page needs apart from its entries, or an entry apart from its description
		const fixed = 1024
		opts := &ServerOptions{
			PageSize:  rapid.SampledFrom([]int{-1, 0, 1, 2, 3, 7}).Draw(rt, "size"),
			PageBytes: rapid.SampledFrom([]int{-1, 0, 1, 3000, 5000, 20_000}).Draw(rt, "bytes"),
			Logger:    slog.New(slog.DiscardHandler),
		}
		meta := &RequestMeta{MaxResponse: rapid.SampledFrom([]int{0, 6000, 12_000, 50_000}).Draw(rt, "longest")}
		s := NewServer(&Implementation{Name: "n", Version: "v"}, opts)
		if rapid.Bool().Draw(rt, "middleware") {
			s.AddReceivingMiddleware(pass)
		}
		var listed []string
		for i, n := range rapid.SliceOfN(rapid.SampledFrom([]int{0, 10, 500, 2000, 8000, 40_000}), 0, 12).Draw(rt, "lengths") {
			name := fmt.Sprintf("f%02d", i)
			addSized(s, name, n)
			if meta.MaxResponse == 0 || n+fixed <= meta.MaxResponse {
				listed = append(listed, name)
			} else if n <= meta.MaxResponse {
				rt.Fatalf("%d bytes of %d: the test cannot tell whether they fit", n, meta.MaxResponse)
			}
		}
		if listed == nil { // the transport refuses a list without a feature that fits
			addSized(s, "f99", 0)
			listed = []string{"f99"}
		}
		for _, revision := range append([]string{modern}, legacies...) {
			// validating with the schemas takes too long here
			c := &client{t: t, s: s, schema: new(wirecheck.Checker), caps: `{}`}
			if revision != modern {
				c.session = &SessionInfo{Revision: revision}
			}
			for _, l := range lists {
				bodies, got := c.walk(l.method, l.list, l.member, meta)
				var want []string
				for _, name := range listed {
					want = append(want, l.prefix+name+l.suffix)
				}
				if all := slices.Concat(got...); !slices.Equal(all, want) {
					rt.Fatalf("%s at %s: %q, want %q", l.method, revision, all, want)
				}
				for i, body := range bodies {
					if meta.MaxResponse > 0 && len(body) > meta.MaxResponse {
						rt.Errorf("%s at %s: a page of %d bytes, the longest message has %d", l.method, revision, len(body), meta.MaxResponse)
					}
					if len(got[i]) < 2 {
						continue
					}
					if opts.PageSize > 0 && len(got[i]) > opts.PageSize {
						rt.Errorf("%s at %s: %d on a page", l.method, revision, len(got[i]))
					}
					if opts.PageBytes > 0 && len(body) > opts.PageBytes+idRoom {
						rt.Errorf("%s at %s: a page of %d bytes", l.method, revision, len(body))
					}
				}
			}
		}
	})
}

// With the default options, a client can see a long list on a reasonable number of pages.
func TestManyLongFeatures(t *testing.T) {
	s := NewServer(&Implementation{Name: "n", Version: "v"}, nil)
	for i := range 1200 {
		addSized(s, fmt.Sprintf("f%04d", i), 9000)
	}
	c := newClient(t, s)
	for _, l := range lists {
		bodies, got := c.walk(l.method, l.list, l.member, new(RequestMeta))
		if n := len(slices.Concat(got...)); n != 1200 || len(bodies) < 11 || len(bodies) > 14 {
			t.Errorf("%s: %d features on %d pages", l.method, n, len(bodies))
		}
		for _, body := range bodies {
			if len(body) > defaultPageBytes {
				t.Errorf("%s: a page of %d bytes", l.method, len(body))
			}
		}
	}
}

// A cursor stays valid when the feature that it names changes, even if a page ended because of its
// bytes.
func TestCursorOfBytesAcrossChanges(t *testing.T) {
	s := NewServer(&Implementation{Name: "n", Version: "v"}, &ServerOptions{PageBytes: 3000})
	for i := range 6 {
		addSized(s, fmt.Sprintf("f%d", i), 1000)
	}
	c := newClient(t, s)
	a := c.call("prompts/list", "")
	if got := names(a, "prompts", "name"); !slices.Equal(got, []string{"f0", "f1"}) {
		t.Fatalf("got %q", got)
	}
	cursor := fmt.Sprintf(`"cursor":%q`, a.result()["nextCursor"]) // after f1
	addSized(s, "f1b", 2500)
	s.RemovePrompts("f1", "f2")
	a = c.call("prompts/list", cursor)
	if got := names(a, "prompts", "name"); !slices.Equal(got, []string{"f1b"}) {
		t.Errorf("got %q", got)
	}
	a = c.call("prompts/list", fmt.Sprintf(`"cursor":%q`, a.result()["nextCursor"]))
	if got := names(a, "prompts", "name"); !slices.Equal(got, []string{"f3", "f4"}) {
		t.Errorf("got %q", got)
	}
}

// A feature that no message can hold is logged once and can still be used.
func TestTooLongToList(t *testing.T) {
	for _, middleware := range []bool{false, true} {
		var log bytes.Buffer
		s := NewServer(&Implementation{Name: "n", Version: "v"}, &ServerOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if middleware {
			s.AddReceivingMiddleware(func(next MethodHandler) MethodHandler { return next })
		}
		addSized(s, "a", 10)
		addSized(s, "b", 100_000)
		addSized(s, "c", 10)
		c := newClient(t, s)
		for range 3 {
			a := c.callHTTP("tools/list", "", &RequestMeta{MaxResponse: 64 << 10})
			if got := names(a, "tools", "name"); !slices.Equal(got, []string{"a", "c"}) {
				t.Errorf("got %q", got)
			}
		}
		if n := strings.Count(log.String(), "too long"); n != 1 || !strings.Contains(log.String(), "feature=b") {
			t.Errorf("reported %d times: %s", n, log.String())
		}
		c.call("tools/call", `"name":"b","arguments":{"text":"x"}`).wantResult("not listed, but there")
		if got := names(c.call("tools/list", ""), "tools", "name"); len(got) != 3 {
			t.Errorf("another transport sees %q", got)
		}
	}
}
