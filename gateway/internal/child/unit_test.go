package child

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

func TestBackoff(t *testing.T) {
	now := time.Unix(1e9, 0)
	var b backoff
	if d, down := b.wait(now); d != 0 || down {
		t.Fatalf("zero: %v, %t", d, down)
	}
	base, most := 500*time.Millisecond, time.Minute
	for i, want := range []time.Duration{500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000} {
		want *= time.Millisecond
		for random, factor := range map[float64]float64{0: 0.8, 0.5: 1, 0.999: 1.2} {
			c := b
			got := c.crashed(now, false, base, most, random)
			limit := min(time.Duration(float64(want)*factor), most)
			if d := got - limit; d > 0 || d < -20*time.Millisecond-limit/100 {
				t.Errorf("crash %d, random %v: %v, want about %v", i+1, random, got, limit)
			}
		}
		d := b.crashed(now, false, base, most, 0.5)
		if wait, down := b.wait(now); wait != d || down != (i+1 >= failFast) {
			t.Errorf("crash %d: wait %v, down %t", i+1, wait, down)
		}
		if wait, down := b.wait(now.Add(d)); wait != 0 || down {
			t.Errorf("crash %d, later: wait %v, down %t", i+1, wait, down)
		}
		now = now.Add(d)
	}
	if d := b.crashed(now, true, base, most, 0.5); d != base || b.crashes != 1 {
		t.Errorf("stable: %v, %d crashes", d, b.crashes)
	}
}

func TestEnvironment(t *testing.T) {
	host := []string{"PATH=/bin", "HOME=/root", "SECRET=x", "LC_ALL=C", "LC=1", "broken", "LANG=C", "NODE_OPTIONS=--inspect", "USER=", "LD_PRELOAD=x.so"}
	got := environment(host, map[string]string{"LANG": "de", "B": "2"})
	want := []string{"B=2", "HOME=/root", "LANG=de", "LC_ALL=C", "PATH=/bin", "USER="}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLookup(t *testing.T) {
	for _, tt := range []struct{ command, dir, path, want string }{
		{"sh", "", "/nonexistent:/bin", "/bin/sh"},
		{"sh", "/", ":.:bin:/bin", "/bin/sh"},
		{"bin/sh", "/", "", "/bin/sh"},
		{"/bin/sh", "/tmp", "", "/bin/sh"},
		{"sh", "", "/nonexistent", ""},
		{"./sh", "/tmp", "/bin", ""},
	} {
		config := map[string]string{}
		if tt.path != "" {
			config["PATH"] = tt.path
		}
		if got, err := lookup(tt.command, tt.dir, config); got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%+v: got %q, %v", tt, got, err)
		}
	}
}

func TestTail(t *testing.T) {
	var l tail
	if l.last(10) != "" {
		t.Error("not empty")
	}
	var all []byte
	for i := range 400 {
		line := []byte(strings.Repeat("ä€🎉", i) + "\xFF\n")
		all = append(all, line...)
		l.write(line)
		if len(l.buf) > 2*maxTail {
			t.Fatalf("%d bytes", len(l.buf))
		}
	}
	want := strings.ToValidUTF8(string(all), "?")
	for _, n := range []int{0, 1, 2, 3, 4, 5, 6, 4096, maxTail, maxTail + 1} {
		if got := l.last(n); !strings.HasSuffix(want, got) {
			t.Errorf("the last %d bytes are not the end", n)
		} else if !utf8.ValidString(got) || len(got) > n || n > 10 && len(got) < min(n, maxTail)-3 {
			t.Errorf("of the last %d bytes got %d", n, len(got))
		}
	}
	l.write(make([]byte, 1<<20))
	if len(l.last(1<<20)) != maxTail {
		t.Error("a large write")
	}
}

func TestStraysAreLoggedOnceAMinute(t *testing.T) {
	var s strays
	now := time.Unix(1e9, 0)
	logged, counted := 0, 0
	for range 1800 { // three minutes
		if n, ok := s.log(now); ok {
			logged++
			counted += n
		}
		now = now.Add(100 * time.Millisecond)
	}
	if logged != 3 || counted != 1201 {
		t.Errorf("logged %d times, %d lines", logged, counted)
	}
}

// The requests in flight are a map and a heap that agree, whatever happens.
func TestRequestsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s requests
		s.init()
		model := map[int64]time.Time{}
		next := int64(1)
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				var deadline time.Time
				if n := rapid.Int64Range(0, 50).Draw(t, "deadline"); n > 0 {
					deadline = time.Unix(n, 0)
				}
				s.add(next, deadline, uint64(next))
				model[next] = deadline
				next++
			},
			"remove": func(t *rapid.T) {
				id := rapid.Int64Range(0, next).Draw(t, "id")
				_, want := model[id]
				if r := s.remove(id); (r != nil) != want || r != nil && (r.id != id || r.place != uint64(id)) {
					t.Fatalf("remove %d: %+v", id, r)
				}
				delete(model, id)
			},
			"": func(t *rapid.T) {
				if s.len() != len(model) {
					t.Fatalf("%d requests, want %d", s.len(), len(model))
				}
				var first time.Time
				n := 0
				for _, deadline := range model {
					if !deadline.IsZero() {
						n++
						if first.IsZero() || deadline.Before(first) {
							first = deadline
						}
					}
				}
				if len(s.heap) != n || n > 0 && !s.first().deadline.Equal(first) || n == 0 && s.first() != nil {
					t.Fatalf("heap of %d, want %d, first %v", len(s.heap), n, first)
				}
			},
		})
	})
}

// What is pushed comes out once and in order, unless it was dropped before.
func TestQueueModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		type entry struct {
			place uint64
			body  string
		}
		var model []entry
		var places []uint64
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				n := rapid.SampledFrom([]int{1, 10, 1000, 40_000, 200_000}).Draw(t, "length")
				body := strings.Repeat(string(rune('a'+len(places)%26)), n)
				place := q.push(&link.Message{Body: []byte(body)})
				model = append(model, entry{place, body})
				places = append(places, place)
			},
			"drop": func(t *rapid.T) {
				if len(places) == 0 {
					return
				}
				place := rapid.SampledFrom(places).Draw(t, "place")
				i, want := slices.BinarySearchFunc(model, place, func(e entry, p uint64) int { return cmp.Compare(e.place, p) })
				if q.drop(place) != want {
					t.Fatalf("drop %d: want %t", place, want)
				}
				if want {
					model = slices.Delete(model, i, i+1)
				}
			},
			"take": func(t *rapid.T) {
				var want []byte
				for len(model) > 0 && len(want) < maxWrite {
					want = append(append(want, model[0].body...), '\n')
					model = model[1:]
				}
				if got := q.take(nil); string(got) != string(want) {
					t.Fatalf("took %d bytes, want %d", len(got), len(want))
				}
			},
			"": func(t *rapid.T) {
				want := 0
				for _, e := range model {
					want += len(e.body) + messageCost
				}
				if q.bytes != want {
					t.Fatalf("%d bytes, want %d", q.bytes, want)
				}
			},
		})
	})
}

func TestAppendLine(t *testing.T) {
	for body, want := range map[string]string{
		`{"a":1}`:                       "{\"a\":1}\n",
		"{\n\t\"a\":\r\n \"x\\n\"\n}\n": "{ \t\"a\":   \"x\\n\" } \n",
	} {
		got := appendLine([]byte("kept\n"), []byte(body))
		if string(got) != "kept\n"+want {
			t.Errorf("%q: got %q", body, got)
		}
	}
}

func TestStates(t *testing.T) {
	if Backoff.String() != "backoff" || State(9).String() != "state 9" {
		t.Error(Backoff, State(9))
	}
}
