package session

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/internal/seal"
	"github.com/mooring-mcp/mooring/mcp"
)

var (
	keyA = bytes.Repeat([]byte("a"), 32)
	keyB = bytes.Repeat([]byte("b"), 32)
	noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
)

func ticketsOf(t testing.TB, lifetime time.Duration, keys ...[]byte) *Tickets {
	t.Helper()
	ts, err := NewTickets(keys, lifetime)
	if err != nil {
		t.Fatal(err)
	}
	return ts
}

// fullInfo returns the longest SessionInfo that an ID can hold.
func fullInfo() mcp.SessionInfo {
	return mcp.SessionInfo{Revision: "2025-11-25", Capabilities: math.MaxUint16, ClientName: strings.Repeat("n", 24)}
}

// Every process with the key can open an ID, even after a restart. An ID is short and consists of
// visible ASCII: "It MUST only contain visible ASCII characters (ranging from 0x21 to 0x7E)"
// (2025-11-25, basic/transports).
func TestSessionIDSurvivesARestart(t *testing.T) {
	in := Ticket{Info: fullInfo()}
	in.Owner = OwnerOf("ada")
	id := ticketsOf(t, time.Hour, keyA).Issue(nil, &in, noon)
	if len(id) > MaxID {
		t.Errorf("an id of %d characters", len(id))
	}
	for _, b := range id {
		if b < 0x21 || b > 0x7e {
			t.Fatalf("octet %#x in the id %q", b, id)
		}
	}
	var out Ticket
	if !ticketsOf(t, time.Hour, keyA).Open(&out, id, OwnerOf("ada"), noon) {
		t.Fatal("the id is refused after a restart with the same key")
	}
	if out != in {
		t.Errorf("sealed %+v, opened %+v", in, out)
	}
	second := ticketsOf(t, time.Hour, keyA)
	other := Ticket{Info: fullInfo()}
	if bytes.Equal(second.Issue(nil, &other, noon), id) || other.Key == in.Key {
		t.Error("two sessions have the same id")
	}
}

// The first key seals, and all keys open. An ID sealed with a key that was removed is not valid.
func TestSessionKeysRotate(t *testing.T) {
	before, during, after := ticketsOf(t, time.Hour, keyA), ticketsOf(t, time.Hour, keyB, keyA), ticketsOf(t, time.Hour, keyB)
	var tk, out Ticket
	old := before.Issue(nil, &tk, noon)
	if !during.Open(&out, old, Owner{}, noon) || out.Key != tk.Key {
		t.Error("the old key does not open during the rotation")
	}
	fresh := during.Issue(nil, &tk, noon)
	if !after.Open(&out, fresh, Owner{}, noon) {
		t.Error("the new key does not seal during the rotation")
	}
	if after.Open(&out, old, Owner{}, noon) {
		t.Error("an id of a key that is gone is accepted")
	}
	if ticketsOf(t, time.Hour).Open(&out, old, Owner{}, noon) {
		t.Error("an id of another ring is accepted")
	}
	if _, err := NewTickets([][]byte{[]byte("short")}, time.Hour); err == nil {
		t.Error("a key that could be guessed is accepted")
	}
	states, err := seal.NewRing("states", keyA)
	if err != nil {
		t.Fatal(err)
	}
	if before.Open(&out, states.Seal(nil, make([]byte, ticketFixed+3), make([]byte, len(Owner{}))), Owner{}, noon) {
		t.Error("what was sealed for another purpose is accepted")
	}
}

// F1: forged, truncated, foreign, expired and future IDs are not valid.
func TestSessionIDRefused(t *testing.T) {
	ts := ticketsOf(t, time.Hour, keyA)
	tk := Ticket{Info: fullInfo()}
	tk.Owner = OwnerOf("ada")
	id := ts.Issue(nil, &tk, noon)
	var out Ticket
	for i := range id {
		if ts.Open(&out, id[:i], OwnerOf("ada"), noon) {
			t.Errorf("cut to %d characters it is accepted", i)
		}
		for _, b := range []byte{'A', 'b', '0', '-', 0, 0xff, id[i] ^ 1} {
			forged := bytes.Clone(id)
			if forged[i] = b; forged[i] != id[i] && ts.Open(&out, forged, OwnerOf("ada"), noon) {
				t.Fatalf("forged at %d it is accepted", i)
			}
		}
	}
	for _, more := range []string{"A", "=", " ", "\n", strings.Repeat("A", 4000)} {
		if ts.Open(&out, append(bytes.Clone(id), more...), OwnerOf("ada"), noon) {
			t.Errorf("with %.10q behind it is accepted", more)
		}
	}
	for _, who := range []string{"", "eve", "Ada", "ada "} {
		if ts.Open(&out, id, OwnerOf(who), noon) {
			t.Errorf("principal %q uses a session of another", who)
		}
	}
	nobody := Ticket{Info: fullInfo()}
	if ts.Open(&out, ts.Issue(nil, &nobody, noon), OwnerOf("ada"), noon) {
		t.Error("a principal uses a session that was opened without one")
	}
	for _, at := range []struct {
		why  string
		when time.Duration
		ok   bool
	}{
		{"at once", 0, true},
		{"in the last second", time.Hour, true},
		{"expired", time.Hour + time.Second, false},
		{"long expired", 1000 * time.Hour, false},
		{"from a replica whose clock is ahead", -clockSkew * time.Second, true},
		{"from the future", -(clockSkew + 1) * time.Second, false},
	} {
		if ts.Open(&out, id, OwnerOf("ada"), noon.Add(at.when)) != at.ok {
			t.Errorf("%s: accepted is %v", at.why, !at.ok)
		}
	}
	// Sealed by the ring, but not tickets.
	for _, plain := range [][]byte{nil, make([]byte, ticketFixed-1), make([]byte, ticketFixed), append(make([]byte, ticketFixed), 99, 0, 0), append(make([]byte, ticketFixed), 1, 0, 0, 0xff)} {
		if ts.Open(&out, ts.ring.Seal(nil, plain, make([]byte, len(Owner{}))), Owner{}, time.Unix(0, 0)) {
			t.Errorf("%d sealed octets pass for a ticket", len(plain))
		}
	}
}

// An ID is valid at the endpoint that issued it, and over the transport that did.
func TestSessionIDOfAnEndpoint(t *testing.T) {
	ts := ticketsOf(t, time.Hour, keyA)
	uses := []Ticket{{}, {SSE: true, Endpoint: NewEndpoint("/a", "/sse", 0)}}
	for _, path := range []string{"/a", "/b", "/sse"} {
		uses = append(uses, Ticket{Endpoint: NewEndpoint(path, "/b", 0)})
	}
	for _, path := range []string{"/a", "/b"} {
		uses = append(uses, Ticket{SSE: true, Endpoint: NewEndpoint("/a", path, 0)})
	}
	for i := range uses {
		issued := uses[i]
		use := func(i int) string { return string(uses[i].appendUse(nil, &Owner{})) }
		id := ts.Issue(nil, &issued, noon)
		for j := range uses {
			opened := uses[j]
			if ok := ts.Open(&opened, id, Owner{}, noon); ok != (i == j) {
				t.Errorf("an ID for %q is valid for %q: %v", use(i), use(j), ok)
			}
		}
		// A new Endpoint of the same path is the same, as after a restart.
		if e := uses[i].Endpoint; e != nil {
			again := Ticket{SSE: issued.SSE, Endpoint: &Endpoint{bytes.Clone(e.streamable), bytes.Clone(e.sse), 0}}
			if !ts.Open(&again, id, Owner{}, noon) {
				t.Errorf("an ID for %q is refused after a restart", use(i))
			}
		}
	}
}

// A deletion is remembered as long as the ID would be accepted, however long that is.
func TestTicketExpires(t *testing.T) {
	for _, lifetime := range []time.Duration{time.Second, time.Hour, 100 * 365 * 24 * time.Hour, 1 << 31 * 100 * time.Millisecond} {
		ts := ticketsOf(t, lifetime, keyA)
		tk := Ticket{issued: uint32(noon.Unix())}
		last := time.Unix(int64(ts.Expires(&tk)), 0)
		if !ts.valid(&tk, last) {
			t.Errorf("lifetime %v: invalid in its last second", lifetime)
		}
		if last.Unix() < math.MaxUint32 && ts.valid(&tk, last.Add(time.Second)) {
			t.Errorf("lifetime %v: valid when its revocation is forgotten", lifetime)
		}
	}
}

func TestSealedAllocs(t *testing.T) {
	ts := ticketsOf(t, time.Hour, keyA)
	in, out := Ticket{Info: fullInfo()}, Ticket{}
	id := ts.Issue(make([]byte, 0, 512), &in, noon)
	if !ts.Open(&out, id, Owner{}, noon) {
		t.Fatal("refused")
	}
	if n := testing.AllocsPerRun(100, func() { ts.Open(&out, id, Owner{}, noon) }); n != 0 {
		t.Errorf("opening an id allocates %v times", n)
	}
	dst := make([]byte, 0, 512)
	if n := testing.AllocsPerRun(100, func() { dst = ts.Issue(dst[:0], &in, noon) }); n > 2 {
		t.Errorf("issuing an id allocates %v times", n)
	}
}

func BenchmarkSessionID(b *testing.B) {
	ts := ticketsOf(b, time.Hour, keyA)
	in, out := Ticket{Info: fullInfo()}, Ticket{}
	dst := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		dst = ts.Issue(dst[:0], &in, noon)
		if !ts.Open(&out, dst, Owner{}, noon) {
			b.Fatal("refused")
		}
	}
}

// Where an endpoint was removed and another is at its path, IDs of before are not valid. Those that
// are issued in the same second are.
func TestTicketSince(t *testing.T) {
	ts := ticketsOf(t, time.Hour, keyA)
	at := func(since time.Time) *Endpoint { return NewEndpoint("/a", "", uint32(since.Unix())) }
	old := Ticket{Endpoint: NewEndpoint("/a", "", 0)}
	id := ts.Issue(nil, &old, noon)
	for _, tt := range []struct {
		since time.Time
		want  bool
	}{{noon.Add(-time.Second), true}, {noon, false}, {noon.Add(time.Second), false}} {
		opened := Ticket{Endpoint: at(tt.since)}
		if got := ts.Open(&opened, id, Owner{}, noon); got != tt.want {
			t.Errorf("an ID of noon opens since %v: %t", tt.since, got)
		}
		fresh := Ticket{Endpoint: at(tt.since)}
		again := Ticket{Endpoint: at(tt.since)}
		if !ts.Open(&again, ts.Issue(nil, &fresh, noon), Owner{}, noon) {
			t.Errorf("an ID that is new does not open since %v", tt.since)
		}
	}
}
