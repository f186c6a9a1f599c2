package names

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// prefix is a template that matches what begins with it.
type prefix string

func (p prefix) Match(uri string) bool { return strings.HasPrefix(uri, string(p)) }

// wantRoute checks which upstream serves a URI; "" stands for none that is known.
func wantRoute(t *testing.T, u *URIs, uri, want string) {
	t.Helper()
	if got, ok := u.Find(uri); got != want || ok != (want != "") {
		t.Errorf("%s goes to %q, %t, want %q", uri, got, ok, want)
	}
}

func TestURIs(t *testing.T) {
	var u URIs
	wantRoute(t, &u, "file:///a", "")
	u.SetOrder([]string{"one", "two", "three"})
	if got := u.Replace("two", []string{"file:///a", "file:///b", "file:///a"}, []Template{prefix("db:")}); len(got) != 1 || got[0].Winner != got[0].Loser {
		t.Errorf("a URI that is listed twice: %v", got)
	}
	wantRoute(t, &u, "file:///a", "two")
	wantRoute(t, &u, "db:7", "two")
	twice := Collision{"u", Feature{"one", "u"}, Feature{"one", "u"}}
	both := Collision{"u", Feature{"one", "u"}, Feature{"two", "u"}}
	if got, want := twice.String()+"; "+both.String(), `one lists "u" twice; one and two both have "u": one serves it`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	got := u.Replace("one", []string{"file:///a"}, []Template{prefix("db:7"), prefix("x:")})
	if want := []Collision{{"file:///a", Feature{"one", "file:///a"}, Feature{"two", "file:///a"}}}; !slices.Equal(got, want) {
		t.Errorf("the first in order comes second: %v, want %v", got, want)
	}
	got = u.Replace("three", []string{"file:///a"}, []Template{prefix("")})
	if want := []Collision{{"file:///a", Feature{"one", "file:///a"}, Feature{"three", "file:///a"}}}; !slices.Equal(got, want) {
		t.Errorf("the last in order comes last: %v, want %v", got, want)
	}
	wantRoute(t, &u, "file:///a", "one")
	wantRoute(t, &u, "file:///b", "two") // although a template of one's that comes first would match
	wantRoute(t, &u, "db:7", "one")
	wantRoute(t, &u, "db:8", "two")
	wantRoute(t, &u, "other", "three")
	u.SetOrder([]string{"two", "three"}) // one is not named, and comes last
	wantRoute(t, &u, "file:///a", "two")
	wantRoute(t, &u, "db:7", "two")
	wantRoute(t, &u, "x:1", "three")
	if got, want := u.All(), []string{"two", "three", "one"}; !slices.Equal(got, want) {
		t.Errorf("the order is %q, want %q", got, want)
	}
	u.Remove("two")
	wantRoute(t, &u, "file:///a", "three")
	u.Replace("three", nil, nil)
	wantRoute(t, &u, "file:///a", "one")
	wantRoute(t, &u, "other", "")
	if got := u.Replace("new", []string{"file:///a"}, nil); len(got) != 1 || got[0].Winner.Server != "one" {
		t.Errorf("one that is not in the order: %v", got)
	}
}

func TestRemember(t *testing.T) {
	var u URIs
	u.Remember("a", "one")
	u.Remember("a", "two")
	wantRoute(t, &u, "a", "two")
	u.Forget("a")
	u.Forget("a")
	wantRoute(t, &u, "a", "")
	long := strings.Repeat("u", MaxURI)
	u.Remember(long+"u", "one")
	wantRoute(t, &u, long+"u", "")
	u.Remember(long, "one")
	wantRoute(t, &u, long, "one")
	for i := range MaxRemembered {
		u.Remember(fmt.Sprint("u:", i), "two")
		wantRoute(t, &u, "u:0", "two") // so that it is in use
	}
	wantRoute(t, &u, long, "")
	u.Remember("last", "one")
	wantRoute(t, &u, "u:0", "two")
	wantRoute(t, &u, "u:1", "")
	wantRoute(t, &u, "u:2", "two")
	wantCount := func(want int) {
		t.Helper()
		if len(u.remembered) != want || u.recent.Len() != want {
			t.Errorf("%d and %d are remembered, want %d", len(u.remembered), u.recent.Len(), want)
		}
	}
	wantCount(MaxRemembered)
	u.Remove("two")
	wantCount(1)
	wantRoute(t, &u, "last", "one")
	u.Replace("two", []string{"last"}, nil)
	wantRoute(t, &u, "last", "two") // a list is better than a memory
}

// TestURIsModel compares the routes with the plainest rule: of the upstreams that list the URI, the
// first in order, whatever came and went before.
func TestURIsModel(t *testing.T) {
	servers := []string{"a", "b", "c", "d"}
	rapid.Check(t, func(t *rapid.T) {
		var u URIs
		order := servers
		u.SetOrder(order)
		listed := map[string][]string{}
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			server := rapid.SampledFrom(servers).Draw(t, "server")
			switch rapid.SampledFrom([]string{"replace", "replace", "remove", "order"}).Draw(t, "step") {
			case "replace":
				uris := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"u", "v", "w"}), 0, 3, rapid.ID).Draw(t, "uris")
				shared := 0
				for _, uri := range uris {
					if slices.ContainsFunc(servers, func(s string) bool { return s != server && slices.Contains(listed[s], uri) }) {
						shared++
					}
				}
				if got := u.Replace(server, uris, nil); len(got) != shared {
					t.Fatalf("%d collisions, want %d", len(got), shared)
				}
				listed[server] = uris
			case "remove":
				u.Remove(server)
				delete(listed, server)
			case "order":
				order = rapid.Permutation(servers).Draw(t, "order")
				u.SetOrder(order)
			}
			for _, uri := range []string{"u", "v", "w"} {
				want := ""
				if i := slices.IndexFunc(order, func(s string) bool { return slices.Contains(listed[s], uri) }); i >= 0 {
					want = order[i]
				}
				if got, ok := u.Find(uri); got != want || ok != (want != "") {
					t.Fatalf("%s goes to %q, want %q", uri, got, want)
				}
			}
		}
		for _, server := range servers {
			u.Remove(server)
		}
		if len(u.claims)+len(u.servers) != 0 {
			t.Fatalf("left behind: %v, %v", u.claims, u.servers)
		}
	})
}

// TestTogether has the race detector look at URIs and a Table that are used from many goroutines.
func TestTogether(t *testing.T) {
	var u URIs
	var table Table
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			server := string(rune('a' + i))
			for n := range 50 {
				uri := fmt.Sprint("u:", n%5)
				table.Replace(server, []string{uri})
				table.Lookup(Advertised(server, uri))
				u.Replace(server, []string{uri}, []Template{prefix("u:")})
				u.Remember("x", server)
				u.Find(uri)
				u.SetOrder(u.All())
				u.Remove(server)
			}
		})
	}
	wg.Wait()
	if u.Replace("z", []string{"u:1"}, nil); len(u.All()) == 0 {
		t.Error("the upstreams are lost")
	}
	wantRoute(t, &u, "u:1", "z")
}
