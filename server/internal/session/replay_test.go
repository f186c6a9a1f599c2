package session

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func texts(events [][]byte) (s []string) {
	for _, e := range events {
		s = append(s, string(e))
	}
	return s
}

func TestEventIDs(t *testing.T) {
	for _, id := range []struct{ stream, n uint64 }{{1, 0}, {1, 1}, {35, 36}, {1 << 63, ^uint64(0)}} {
		text := AppendEventID(nil, id.stream, id.n)
		stream, n, ok := ParseEventID(text)
		if !ok || stream != id.stream || n != id.n {
			t.Errorf("%v: written %q, read %d %d %v", id, text, stream, n, ok)
		}
	}
	for _, bad := range []string{"", "-", "1", "1-", "-1", "1-2-3", "1--2", "x y-1", "1-é", "+1-1", "1-+1", "_-1", strings.Repeat("z", 40) + "-1", "1-" + strings.Repeat("z", 40)} {
		if _, _, ok := ParseEventID([]byte(bad)); ok {
			t.Errorf("%q passes for an event id", bad)
		}
	}
}

// D6: the events kept of a stream are limited in bytes and number, and in the total of all
// streams. The oldest are dropped first, and a position before them cannot be resumed.
func TestReplayBounds(t *testing.T) {
	b := &budget{max: 1 << 20}
	r := newReplay(1, Place{}, b)
	if got, ok := r.after(0); !ok || len(got) != 0 {
		t.Errorf("a stream before its first event: %q, %v", got, ok)
	}
	for i := range 10 {
		if n := r.append(fmt.Appendf(nil, "e%d", i+1), b, 1<<10, 4); n != uint64(i+1) {
			t.Fatalf("event %d has number %d", i+1, n)
		}
	}
	for after, want := range map[uint64]string{6: "e7 e8 e9 e10", 8: "e9 e10", 10: ""} {
		if got, ok := r.after(after); !ok || strings.Join(texts(got), " ") != want {
			t.Errorf("after %d: %q, %v, want %q", after, got, ok, want)
		}
	}
	for _, after := range []uint64{0, 5, 11, ^uint64(0)} {
		if _, ok := r.after(after); ok {
			t.Errorf("after %d: resumed, though events are missing", after)
		}
	}
	if n := r.append([]byte(strings.Repeat("x", 900)), b, 1<<10, 4); n != 11 {
		t.Errorf("number %d", n)
	}
	if _, ok := r.after(8); !ok {
		t.Error("two short events and a long one do not fit")
	}
	if r.append([]byte(strings.Repeat("y", 900)), b, 1<<10, 4); len(r.events) != 1 || r.bytes != 900 {
		t.Errorf("%d events of %d bytes are held", len(r.events), r.bytes)
	}
	// An event that is too long for the limit is kept alone: an answer is worth more than what came
	// before it.
	if n := r.append([]byte(strings.Repeat("z", 2000)), b, 1<<10, 4); n != 13 || len(r.events) != 1 {
		t.Errorf("number %d, %d events", n, len(r.events))
	}
	if _, ok := r.after(11); ok {
		t.Error("resumed before an event that was not held")
	}
	if got, ok := r.after(12); !ok || len(got) != 1 {
		t.Error("a long answer is not held")
	}
	if got, ok := r.after(13); !ok || len(got) != 0 {
		t.Error("not resumed at the end")
	}
	r.release(b)
	if b.used.Load() != 0 {
		t.Errorf("%d bytes are never given back", b.used.Load())
	}
}

// The caller owns the copy of the events: the loop that resumes reads it after the lock is
// released, while another loop adds events.
func TestReplayAfterIsACopy(t *testing.T) {
	b := &budget{max: 1 << 20}
	r := newReplay(1, Place{}, b)
	for i := range 3 {
		r.append(fmt.Appendf(nil, "e%d", i), b, 1<<10, 3)
	}
	got, _ := r.after(0)
	r.append([]byte("e3"), b, 1<<10, 3) // the oldest is dropped
	if s := strings.Join(texts(got), " "); s != "e0 e1 e2" {
		t.Errorf("what was resumed changed to %q", s)
	}
}

// All replays together stay below the total. Small messages and streams without messages count,
// too.
func TestReplayTotal(t *testing.T) {
	const total = 64 << 10
	b := &budget{max: total}
	var all []*replay
	for i := range 10_000 {
		r := newReplay(uint64(i), Place{}, b)
		if r == nil {
			break
		}
		r.append(nil, b, 1<<10, 10)
		r.append([]byte("{}"), b, 1<<10, 10)
		all = append(all, r)
	}
	if n := len(all); n < 100 || n > total/replayCost {
		t.Errorf("%d replays fit in %d bytes", n, total)
	}
	if b.used.Load() > total {
		t.Errorf("%d bytes are held", b.used.Load())
	}
	for _, r := range all {
		r.release(b)
	}
	if b.used.Load() != 0 {
		t.Errorf("%d bytes are never given back", b.used.Load())
	}
}

// The number of streams of a session that can be resumed is limited. At the limit, the stream that
// ended first is dropped.
func TestSessionReplays(t *testing.T) {
	b := &budget{max: 1 << 30}
	s := &entry[*host]{details: new(details[*host])}
	for i := range maxReplays {
		if !s.addReplay(uint64(i), Place{}, b) {
			t.Fatal(i)
		}
	}
	if s.addReplay(100, Place{}, b) {
		t.Error("more streams under way than the bound")
	}
	s.replays[7].done, s.replays[7].expires = true, 20
	s.replays[9].done, s.replays[9].expires = true, 10
	if !s.addReplay(100, Place{}, b) || s.replay(9) != nil || s.replay(7) == nil || s.replay(100) == nil || len(s.replays) != maxReplays {
		t.Error("not the one that ended first went")
	}
	if s.forgetReplays(b); b.used.Load() != 0 || !s.empty() {
		t.Errorf("%d bytes are never given back", b.used.Load())
	}
}

// A client that resumes gets exactly what it has not seen, or nothing.
func TestReplayModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := &budget{max: int64(rapid.IntRange(500, 5000).Draw(t, "total"))}
		maxBytes, maxEvents := rapid.IntRange(1, 400).Draw(t, "bytes"), rapid.IntRange(1, 20).Draw(t, "events")
		r := newReplay(1, Place{}, b)
		var sent []string
		for range rapid.IntRange(0, 60).Draw(t, "n") {
			msg := strings.Repeat("m", rapid.IntRange(0, 120).Draw(t, "len")) + fmt.Sprint(len(sent))
			sent = append(sent, msg)
			if n := r.append([]byte(msg), b, maxBytes, maxEvents); n != uint64(len(sent)) {
				t.Fatalf("event %d has number %d", len(sent), n)
			}
			if len(r.events) > 1 && (r.bytes > maxBytes || len(r.events) > maxEvents) || b.used.Load() > b.max {
				t.Fatalf("%d bytes in %d events, %d in all", r.bytes, len(r.events), b.used.Load())
			}
			at := rapid.IntRange(0, len(sent)+2).Draw(t, "after")
			got, ok := r.after(uint64(at))
			if ok && strings.Join(texts(got), "|") != strings.Join(sent[at:], "|") {
				t.Fatalf("after %d of %d: %q", at, len(sent), got)
			}
			if !ok && at == len(sent) {
				t.Fatal("a client that has everything is refused")
			}
		}
		r.release(b)
		if b.used.Load() != 0 {
			t.Fatalf("%d bytes left", b.used.Load())
		}
	})
}

// Sessions that keep as much as they can leave something for the next session.
func TestReplayTotalIsShared(t *testing.T) {
	const total = 8 << 20
	table := tableOf(1000, 1000)
	table.budget.max = total
	fill := func(n int) (held int64) {
		table.with(keyOf(n), true, 0, func(s *entry[*host]) {
			stream := uint64(n) << 8
			for i := range uint64(20) {
				if !s.addReplay(stream+i, Place{}, &table.budget) {
					return
				}
				for range 100 {
					s.replay(stream+i).append(make([]byte, 10_000), &table.budget, 1<<20, 256)
					s.trim(&table.budget)
				}
			}
			held = s.held()
		})
		return held
	}
	for n := range 20 {
		if held := fill(n); held > total/5 || held < minShare/2 {
			t.Errorf("session %d holds %d bytes", n, held)
		}
	}
	if held := fill(100); held < minShare/2 {
		t.Errorf("session 21 holds %d bytes", held)
	}
}
