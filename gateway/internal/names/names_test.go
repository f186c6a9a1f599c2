package names

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCheckServer(t *testing.T) {
	for _, name := range []string{"a", "files", "io.github.x", "a_b-c.d", "7", strings.Repeat("a", MaxServer)} {
		if err := CheckServer(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", ".", "..", "a b", "a/b", "a__b", "a_", "_a", "-a", "ä", "a\x00", "a%2e", strings.Repeat("a", MaxServer+1)} {
		if CheckServer(name) == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}

func TestAdvertised(t *testing.T) {
	long := strings.Repeat("n", 200)
	for _, tt := range []struct{ server, name, want string }{
		{"files", "read", "files__read"},
		{"files", "__read", "files____read"},
		{"files", "a.b-c_d", "files__a.b-c_d"},
		{"s", long[:MaxAdvertised-3], "s__" + long[:MaxAdvertised-3]},
		{"s", long[:MaxAdvertised-2], "s__" + long[:110] + "_x"},
		{"s", long, "s__" + long[:110] + "_x"},
		{"s", "größe", "s__gr__e_x"},
		{"s", "a b", "s__a_b_x"},
		{"s", "", "s___x"},
		{"a__b", "c", "a__b__c_x"},
		{"s", "t_xabcdefghijklm", "s__t_xabcdefghijklm_x"},
	} {
		got := Advertised(tt.server, tt.name)
		if prefix, changed := strings.CutSuffix(tt.want, "_x"); changed {
			if rest, ok := strings.CutPrefix(got, tt.want); !ok || len(rest) != suffixHash || len(got) > MaxAdvertised {
				t.Errorf("%q %q: got %q, want %s_x and a hash", tt.server, tt.name, got, prefix)
			}
		} else if got != tt.want {
			t.Errorf("%q %q: got %q, want %q", tt.server, tt.name, got, tt.want)
		}
	}
	// The hash is part of what operators and models have seen: it must not change.
	if got, want := Advertised("s", "a b"), "s__a_b_x5ludx2zwfz45k"; got != want {
		t.Errorf("got %q, want %q as ever", got, want)
	}
}

func TestLong(t *testing.T) {
	if Long("gw", strings.Repeat("a", 64-9)) || !Long("gw", strings.Repeat("a", 64-8)) {
		t.Error("mcp__gw__ and a name of 55 characters are 64")
	}
}

// aServer draws names of upstreams that are likely to be mistaken for each other.
var (
	aServer  = rapid.StringMatching(`[ab]([_.][ab])?[ab]?`)
	aFeature = rapid.OneOf(rapid.StringMatching(`[ab_]{0,5}(_x[a-b]{13})?`), rapid.StringN(0, 20, 300), rapid.StringMatching(`a{100,140}`))
)

// TestAdvertisedIsInjective: different features have different names, all of which clients accept.
func TestAdvertisedIsInjective(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seen := map[string]Feature{}
		for range rapid.IntRange(2, 50).Draw(t, "features") {
			f := Feature{aServer.Draw(t, "server"), aFeature.Draw(t, "name")}
			if CheckServer(f.Server) != nil {
				t.Fatalf("%q is not a server", f.Server)
			}
			got := Advertised(f.Server, f.Name)
			if other, ok := seen[got]; ok && other != f {
				t.Fatalf("%v and %v are both %q", f, other, got)
			}
			seen[got] = f
			if len(got) > MaxAdvertised || !isName(got) || !strings.HasPrefix(got, f.Server+"__") {
				t.Fatalf("%v: %q is not a name", f, got)
			}
		}
	})
}

// TestTableIsStable: whoever joins and leaves, and in which order, each feature has the same name,
// and the table has what is there.
func TestTableIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table Table
		there := map[string][]string{}
		named := map[Feature]string{}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			server := aServer.Draw(t, "server")
			names := rapid.SliceOfN(aFeature, 0, 5).Draw(t, "names")
			advertised, collisions := table.Replace(server, names)
			there[server] = names
			lost := 0
			for i, name := range names {
				f := Feature{server, name}
				if first := slices.Index(names, name); first != i {
					if lost++; advertised[i] != "" {
						t.Fatalf("%v is there twice, and both are offered", f)
					}
					continue
				}
				if was, ok := named[f]; ok && was != advertised[i] {
					t.Fatalf("%v was %q and is %q", f, was, advertised[i])
				}
				named[f] = advertised[i]
			}
			if len(collisions) != lost {
				t.Fatalf("%d collisions are reported, want %d", len(collisions), lost)
			}
			for f, name := range named {
				got, ok := table.Lookup(name)
				if want := slices.Contains(there[f.Server], f.Name); ok != want || ok && got != f {
					t.Fatalf("%q leads to %v, %t, want %v, %t", name, got, ok, f, want)
				}
			}
		}
	})
}

func TestTableNamesBoth(t *testing.T) {
	var table Table
	advertised, collisions := table.Replace("s", []string{"a", "b", "a"})
	if want := []string{"s__a", "s__b", ""}; !slices.Equal(advertised, want) {
		t.Errorf("got %q, want %q", advertised, want)
	}
	if want := []Collision{{"s__a", Feature{"s", "a"}, Feature{"s", "a"}}}; !slices.Equal(collisions, want) {
		t.Errorf("got %v, want %v", collisions, want)
	}
	if _, ok := table.Lookup("s__c"); ok {
		t.Error("a name that nobody has is found")
	}
	if table.Replace("s", nil); fmt.Sprint(table.feature, table.names) != "map[] map[]" {
		t.Errorf("left behind: %v, %v", table.feature, table.names)
	}
}
