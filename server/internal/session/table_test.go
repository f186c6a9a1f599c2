package session

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

// keyOf returns the key of session n; sessions n and n+64 share a shard.
func keyOf(n int) (k Key) {
	binary.BigEndian.PutUint16(k[:], uint16(n))
	return k
}

// host is the type of the calls of a table in tests.
type host struct{ n int }

func tableOf(maxSessions, maxRevoked int) *Table[*host] {
	return New[*host](Options{MaxSessions: maxSessions, MaxRevoked: maxRevoked, ReplayTotal: 1 << 20})
}

// somewhere is the place of a connection.
var somewhere = Place{Loop: 1}

// wantExact checks that the counters match the table, and how many sessions and revocations it
// has.
func (t *Table[J]) wantExact(tb interface{ Fatalf(string, ...any) }, sessions, revoked int) {
	got, _ := t.Audit()
	if stats := t.Stats(); got != stats || got.Sessions != int64(sessions) || got.Revoked != int64(revoked) {
		tb.Fatalf("the table holds %+v, counted are %+v, want %d sessions, %d revoked", got, stats, sessions, revoked)
	}
}

// sessionModel is a plain model of what the table holds of one session.
type sessionModel struct {
	level    string
	uris     []string
	stream   bool
	calls    int
	replays  []uint64
	lastUsed wheel.Tick
}

func (m *sessionModel) empty() bool {
	return m.level == "" && len(m.uris) == 0 && !m.stream && m.calls == 0 && len(m.replays) == 0
}

// The table equals a plain map of plain structs after any sequence of operations. Its counters are
// exact, and it has no empty entries.
func TestSessionTableModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := tableOf(1000, 1<<20)
		model := make(map[int]*sessionModel)
		gone := make(map[int]uint32)
		var now wheel.Tick
		unix := uint32(1000)
		const idle = 50
		table.o.Idle = idle
		streams := uint64(0)
		use := func(t *rapid.T, create bool, f func(*entry[*host], *sessionModel)) {
			n := rapid.IntRange(0, 6).Draw(t, "session") * 32 // some share a shard
			_, revoked := gone[n]
			m := model[n]
			called := false
			err := table.with(keyOf(n), create, now, func(s *entry[*host]) {
				if called = true; m == nil {
					m = new(sessionModel)
				}
				f(s, m)
				m.lastUsed = now
			})
			if want := !create || !revoked; (err == nil) != want || err != nil && err != ErrGone {
				t.Fatalf("session %d: with says %v, want success %v", n, err, want)
			}
			if want := model[n] != nil || create && !revoked; called != want {
				t.Fatalf("session %d: called is %v, want %v", n, called, want)
			}
			if delete(model, n); m != nil && !m.empty() {
				model[n] = m
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"level": func(t *rapid.T) {
				use(t, true, func(s *entry[*host], m *sessionModel) { s.level, m.level = "error", "error" })
			},
			"subscribe": func(t *rapid.T) {
				uri := rapid.StringMatching("[ab]").Draw(t, "uri")
				use(t, true, func(s *entry[*host], m *sessionModel) {
					if s.subs.URIs == nil {
						s.subs.URIs = make(map[string]struct{})
					}
					if s.subs.URIs[uri] = struct{}{}; !slices.Contains(m.uris, uri) {
						m.uris = append(m.uris, uri)
					}
				})
			},
			"unsubscribe": func(t *rapid.T) {
				uri := rapid.StringMatching("[ab]").Draw(t, "uri")
				use(t, false, func(s *entry[*host], m *sessionModel) {
					delete(s.subs.URIs, uri)
					m.uris = slices.DeleteFunc(m.uris, func(u string) bool { return u == uri })
				})
			},
			"stream": func(t *rapid.T) {
				use(t, true, func(s *entry[*host], m *sessionModel) { s.stream, m.stream = somewhere, true })
			},
			"stream ends": func(t *rapid.T) {
				use(t, false, func(s *entry[*host], m *sessionModel) { s.stream, m.stream = Place{}, false })
			},
			"call": func(t *rapid.T) {
				use(t, true, func(s *entry[*host], m *sessionModel) { s.calls = append(s.calls, call[*host]{}); m.calls++ })
			},
			"call ends": func(t *rapid.T) {
				use(t, false, func(s *entry[*host], m *sessionModel) {
					if m.calls > 0 {
						s.calls = s.calls[1:]
						m.calls--
					}
				})
			},
			"replay": func(t *rapid.T) {
				use(t, true, func(s *entry[*host], m *sessionModel) {
					streams++
					if s.addReplay(streams, Place{}, &table.budget) {
						r := s.replay(streams)
						r.append([]byte("event"), &table.budget, 1<<20, 100)
						r.done, r.expires = true, now+20
						m.replays = append(m.replays, streams)
					}
				})
			},
			"nothing": func(t *rapid.T) { use(t, rapid.Bool().Draw(t, "create"), func(*entry[*host], *sessionModel) {}) },
			"delete": func(t *rapid.T) {
				n := rapid.IntRange(0, 6).Draw(t, "session") * 32
				held := table.revoke(keyOf(n), unix+30)
				if m := model[n]; m != nil && (len(held.calls) != m.calls || len(held.replays) != len(m.replays) || (!held.stream.IsZero()) != m.stream) {
					t.Fatalf("session %d held %+v, want %+v", n, held, m)
				}
				if delete(model, n); gone[n] == 0 {
					gone[n] = unix + 30
				}
			},
			"time": func(t *rapid.T) {
				d := rapid.IntRange(1, 40).Draw(t, "ticks")
				now += wheel.Tick(d)
				unix += uint32(d)
				for i := range Shards {
					table.Sweep(i, now, unix)
				}
				for n, at := range gone {
					if at < unix {
						delete(gone, n)
					}
				}
				for n, m := range model {
					m.replays = slices.DeleteFunc(m.replays, func(id uint64) bool {
						done := true
						table.with(keyOf(n), false, 0, func(s *entry[*host]) { done = s.replay(id) == nil })
						return done
					})
					if !m.stream && m.calls == 0 && m.lastUsed+idle <= now {
						m.level, m.uris = "", nil
					}
					if m.empty() {
						delete(model, n)
					}
				}
			},
			"": func(t *rapid.T) {
				table.wantExact(t, len(model), len(gone))
				for n, m := range model {
					found := false
					table.with(keyOf(n), false, 0, func(s *entry[*host]) {
						found = true
						if string(s.level) != m.level || len(s.subs.URIs) != len(m.uris) || (!s.stream.IsZero()) != m.stream || len(s.calls) != m.calls || len(s.replays) != len(m.replays) || s.lastUsed != m.lastUsed {
							t.Fatalf("session %d: %+v, want %+v", n, s, m)
						}
					})
					if !found {
						t.Fatalf("session %d is not there", n)
					}
				}
				for n := range 7 {
					if _, want := gone[n*32]; table.Deleted(keyOf(n*32)) != want {
						t.Fatalf("session %d: revoked is %v", n*32, !want)
					}
				}
			},
		})
	})
}

// B14, B16: a shard that was large frees its memory.
func TestShardShrinks(t *testing.T) {
	table := tableOf(1<<20, 100)
	for i := range 1000 {
		var k Key
		binary.BigEndian.PutUint32(k[8:], uint32(i))
		table.with(k, true, 0, func(s *entry[*host]) { s.level = "info" })
	}
	for i := range 1000 {
		var k Key
		binary.BigEndian.PutUint32(k[8:], uint32(i))
		table.with(k, false, 0, func(s *entry[*host]) { s.level = "" })
	}
	if table.shards[0].m != nil || table.count.Load() != 0 {
		t.Error("an empty shard keeps the map of a thousand sessions")
	}
}

// A server may hold a million sessions that have a stream and nothing else.
func TestSessionWithStreamIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(entry[*host]{}); size > 48 {
		t.Errorf("a session takes %d bytes", size)
	}
	table := tableOf(100, 100)
	table.with(keyOf(1), true, 0, func(s *entry[*host]) { s.stream = somewhere })
	rest := func() *details[*host] { return table.shard(keyOf(1)).m[keyOf(1)].details }
	if rest() != nil {
		t.Error("it has a rest without anything in it")
	}
	begin := func() {
		table.with(keyOf(1), true, 0, func(s *entry[*host]) {
			s.calls, s.asks = append(s.calls, call[*host]{id: "1", job: new(host)}), append(s.asks, ask[*host]{id: "1"})
		})
	}
	answer := func() {
		table.with(keyOf(1), false, 0, func(s *entry[*host]) { s.calls, s.asks = s.calls[:0], s.asks[:0] })
	}
	begin()
	if rest() == nil {
		t.Fatal("a call is not held")
	}
	answer()
	if rest() != nil {
		t.Error("it keeps a rest when the call is over")
	}
	spare := table.shard(keyOf(1)).free
	if spare == nil || cap(spare.calls) == 0 || spare.calls[:1][0].job != nil || spare.asks[:1][0].id != "" {
		t.Errorf("the next session gets %+v", spare)
	}
	j := new(host)
	if n := testing.AllocsPerRun(100, func() {
		table.with(keyOf(1), true, 0, func(s *entry[*host]) { s.calls = append(s.calls, call[*host]{job: j}) })
		answer()
	}); n != 0 {
		t.Errorf("a call allocates %v times", n)
	}
	held := table.revoke(keyOf(1), 1000)
	if held.stream != somewhere || len(held.calls) != 0 {
		t.Errorf("it held %+v", held)
	}
}

// After a panic in a function that runs under the lock, the lock is free and there is no empty
// entry.
func TestSessionTableSurvivesAPanic(t *testing.T) {
	table := tableOf(100, 100)
	func() {
		defer func() { _ = recover() }()
		table.with(keyOf(1), true, 0, func(*entry[*host]) { panic("overboard") })
	}()
	if table.with(keyOf(1), true, 0, func(*entry[*host]) {}) != nil || table.count.Load() != 0 {
		t.Errorf("%d sessions", table.count.Load())
	}
}

// Many goroutines use, evict, delete and sweep the same few sessions. The counters are exact
// afterwards. The test is for the race detector.
func TestSessionTableConcurrently(t *testing.T) {
	table := tableOf(20, 64)
	table.o.Idle = 10
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				k := keyOf((g*7 + i) % 40)
				switch i % 5 {
				case 0, 1:
					table.with(k, true, wheel.Tick(i), func(s *entry[*host]) {
						s.level = mcp.LoggingLevel(fmt.Sprint(i % 2))
						if s.addReplay(uint64(i), Place{}, &table.budget) {
							r := s.replay(uint64(i))
							r.append([]byte("x"), &table.budget, 10, 10)
							r.done = true
						}
					})
				case 2:
					table.with(k, false, wheel.Tick(i), func(s *entry[*host]) { s.stream = somewhere })
				case 3:
					table.with(k, false, wheel.Tick(i), func(s *entry[*host]) { s.stream, s.level, s.subs.URIs = Place{}, "", nil })
				default:
					if table.Sweep(i%Shards, wheel.Tick(i), uint32(i)); i%50 == 4 {
						table.revoke(k, uint32(i+10))
					}
				}
				if n := table.count.Load(); n < 0 || n > 20+8 {
					t.Errorf("%d sessions", n)
				}
			}
		})
	}
	wg.Wait()
	got, _ := table.Audit()
	if got != table.Stats() || got.Sessions > 20 {
		t.Errorf("the table holds %+v, counted are %+v", got, table.Stats())
	}
}

func BenchmarkSessionTable(b *testing.B) {
	table := tableOf(1<<20, 1<<20)
	for i := range 10_000 {
		var k Key
		binary.BigEndian.PutUint64(k[:], uint64(i)<<40)
		table.with(k, true, 0, func(s *entry[*host]) { s.level = "info" })
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		var k Key
		for i := 0; pb.Next(); i++ {
			binary.BigEndian.PutUint64(k[:], uint64(i%10_000)<<40)
			table.with(k, false, 0, func(*entry[*host]) {})
		}
	})
}
