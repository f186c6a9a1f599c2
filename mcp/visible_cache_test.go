package mcp

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"pgregory.net/rapid"
)

// pageOf returns the page that a list request of the principal gets, as it is kept.
func pageOf(t testing.TB, s *Server, method, principal string) []byte {
	t.Helper()
	m, meta := hotMessage(t, method, "", hotMeta)
	meta.Principal = principal
	var c Call
	if e := s.Prepare(&c, m, meta); e != nil {
		t.Fatal(e)
	}
	if !c.Inline() || c.page == nil {
		t.Fatalf("%s is not inline", method)
	}
	return c.page
}

func same(a, b []byte) bool { return unsafe.SliceData(a) == unsafe.SliceData(b) }

// Callers with the same answers get the same bytes, until a feature changes.
func TestVisibleListIsACopy(t *testing.T) {
	s := newVisibleServer(t, &ServerOptions{})
	alice := pageOf(t, s, "tools/list", "alice")
	if !same(alice, pageOf(t, s, "tools/list", "lice")) || same(alice, pageOf(t, s, "tools/list", "bob")) {
		t.Error("the page depends on something else than the set of features")
	}
	if same(alice, pageOf(t, s, "prompts/list", "alice")) {
		t.Error("two lists have one page")
	}
	if root := pageOf(t, s, "tools/list", "root"); !same(root, page(pager{listing: &s.listTools, head: &s.identity.Load().heads[0], rev: &revisions[0]}, s.reg.Load().tools, 0)) {
		t.Error("whoever sees everything does not get the list of everything")
	}
	s.RemoveTools("f00-bob")
	if len(s.views.views) != 0 || s.views.size != 0 || s.views.order.Len() != 0 {
		t.Errorf("a change left %d views of %d bytes", len(s.views.views), s.views.size)
	}
	if again := pageOf(t, s, "tools/list", "alice"); same(alice, again) || string(alice) != string(again) {
		t.Errorf("after a change: %s", again)
	}
	addVisible(s, "f99-alice")
	if got := pageOf(t, s, "tools/list", "alice"); !strings.Contains(string(got), "f99-alice") {
		t.Errorf("after another: %s", got)
	}
}

// A call that was prepared with features that have since changed does not spoil the views of the
// current ones.
func TestViewOfAnOldRegistry(t *testing.T) {
	s := newVisibleServer(t, &ServerOptions{})
	old := s.reg.Load().tools
	s.RemoveTools("f00-alice", "f01-alice")
	addVisible(s, "f02-carol")
	addVisible(s, "f03-carol")
	now := s.reg.Load().tools
	w := &Caller{s: s, ctx: t.Context()}
	w.Principal = "bob"
	for range 2 {
		for _, f := range []*featureSet[*tool]{old, now} {
			for _, item := range seenBy(w, f).items {
				if !strings.HasSuffix(item.key(), "bob") {
					t.Errorf("bob sees %s", item.key())
				}
			}
		}
	}
}

// Whatever is asked for, the views stay within the limit, and every list is right.
func TestVisibleBytes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		most := rapid.SampledFrom([]int{-1, 1, 2000, 5000, 20_000, 0}).Draw(rt, "most")
		s := NewServer(&Implementation{Name: "n", Version: "v"}, &ServerOptions{VisibleInline: true, VisibleBytes: most,
			// the principal is a number, with a bit for each feature
			Visible: func(_ context.Context, caller *Caller, _ FeatureKind, name string) bool {
				bits, _ := strconv.Atoi(caller.Principal)
				i, _ := strconv.Atoi(name[1:])
				return bits&(1<<i) != 0
			}})
		const n = 10
		for i := range n {
			AddTool(s, &Tool{Name: fmt.Sprint("t", i), Description: strings.Repeat("x", 50*i)}, echo)
		}
		for range rapid.IntRange(1, 30).Draw(rt, "requests") {
			bits := rapid.IntRange(0, 1<<n-1).Draw(rt, "bits")
			got := string(pageOf(t, s, "tools/list", fmt.Sprint(bits)))
			for i := range n {
				if strings.Contains(got, fmt.Sprintf(`"name":"t%d"`, i)) != (bits&(1<<i) != 0) {
					rt.Fatalf("tool %d of %b: %s", i, bits, got)
				}
			}
			v := &s.views
			size := 0
			for e := v.order.Front(); e != nil; e = e.Next() {
				c := e.Value.(*cachedView)
				size += c.size
				if v.views[c.key] != e {
					rt.Fatalf("view %x is not found", c.key)
				}
			}
			if size != v.size || len(v.views) != v.order.Len() || size > max(v.max, 0) {
				rt.Fatalf("%d views of %d bytes, counted as %d, of %d", len(v.views), size, v.size, v.max)
			}
			if most == 0 && v.order.Len() > 0 && bits != 0 && bits != 1<<n-1 {
				if kept := v.order.Front().Value.(*cachedView); kept.size < len(got) {
					rt.Fatalf("a list of %d bytes counts as %d", len(got), kept.size)
				}
			}
		}
	})
}

// The least recently used view is dropped first.
func TestViewsAreDroppedInOrder(t *testing.T) {
	v := viewCache{max: 3 * (viewRoom + 10)}
	f := new(int)
	for _, key := range []string{"a", "b", "c"} {
		v.add(key, f, key, 10)
	}
	v.get([]byte("a"), f)
	v.add("d", f, "d", 10)
	var got []string
	for _, key := range []string{"a", "b", "c", "d"} {
		if v.get([]byte(key), f) != nil {
			got = append(got, key)
		}
	}
	if !slices.Equal(got, []string{"a", "c", "d"}) {
		t.Errorf("kept %q", got)
	}
	if other := v.add("a", f, "other", 10); other != "a" {
		t.Errorf("a second view took the place of the first: %v", other)
	}
}

// Lists, calls and changes at once. The race detector is the judge.
func TestVisibleRace(t *testing.T) {
	s := newVisibleServer(t, &ServerOptions{VisibleBytes: 8000})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			var c Call
			for n := range 200 {
				m, meta := hotMessage(t, "tools/list", "", hotMeta)
				meta.Principal = []string{"alice", "bob", "root", "f0", "-"}[(n+i)%5]
				var w discard
				answerHot(t, s, &c, m, meta, &w)
				if n%50 == 0 {
					addVisible(s, fmt.Sprintf("x%d-alice", i))
					s.RemoveTools(fmt.Sprintf("x%d-alice", i))
				}
			}
		})
	}
	wg.Wait()
}

// A list for some costs no more than the caller: its page is neither filtered nor encoded again.
func TestVisibleAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s := newVisibleServer(t, &ServerOptions{})
	var w discard
	var c Call
	m, meta := hotMessage(t, "tools/list", "", hotMeta)
	meta.Principal = "alice"
	if got := testing.AllocsPerRun(100, func() { answerHot(t, s, &c, m, meta, &w) }); got > 1 {
		t.Errorf("a list: %v allocations", got)
	}
	var e *jsonrpc.Error
	if got := testing.AllocsPerRun(100, func() { e = s.Prepare(&c, m, meta); c.Reset() }); got > 1 || e != nil {
		t.Errorf("Prepare: %v allocations, %v", got, e)
	}
}
