package server

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"testing"
)

// TestBuffersFitTheirUse: whatever was used before, what a buffer holds depends on what it was
// taken for.
func TestBuffersFitTheirUse(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var held []*buffer
	want := func(why string, b *buffer, n int) {
		t.Helper()
		if len(b.B) > cap(b.B) || cap(b.B) < n || cap(b.B) >= 2*max(n, 1<<minBuffer) {
			t.Fatalf("%s for %d bytes: %d held", why, n, cap(b.B))
		}
	}
	for range 20_000 {
		n := 1 << rng.IntN(19)
		n += rng.IntN(n)
		var b *buffer
		switch rng.IntN(4) {
		case 0:
			b = takeBuffer(n)
			if want("taken", b, n); len(b.B) != 0 {
				t.Fatalf("a buffer with %d bytes in it", len(b.B))
			}
			b.B = append(b.B, make([]byte, rng.IntN(2*n))...) // an owner may outgrow it
		case 1:
			b = bufferOf(make([]byte, n))
			want("copied", b, n)
		case 2:
			b = takeBuffer(rng.IntN(64))
			b.add(make([]byte, n))
			b.add(make([]byte, n))
			if len(b.B) != 2*n {
				t.Fatalf("%d bytes, added were %d", len(b.B), 2*n)
			}
			if cap(b.B) > 64 {
				want("grown", b, 2*n)
			}
		default:
			b = bufferOf(make([]byte, n))
			b.B = b.B[:rng.IntN(n)]
			left := len(b.B)
			if b = b.fit(); len(b.B) != left || cap(b.B) > 4*max(left, 1<<minBuffer) {
				t.Fatalf("%d bytes left of %d: %d held", left, n, cap(b.B))
			}
		}
		if held = append(held, b); len(held) > 50 {
			i := rng.IntN(len(held))
			held[i] = release(held[i])
			held[i] = held[len(held)-1]
			held = held[:len(held)-1]
		}
	}
}

// TestLargeBuffersAreNotKept: what large messages needed is memory of nobody afterwards.
func TestLargeBuffersAreNotKept(t *testing.T) {
	for range 64 {
		release(takeBuffer(1 << 20))
		b := takeBuffer(100)
		b.add(make([]byte, 1<<20))
		release(b)
	}
	for size := minBuffer; size <= maxBuffer; size++ {
		for range 64 {
			b := takeBuffer(1 << size)
			if cap(b.B) > 1<<maxBuffer {
				t.Fatalf("a buffer of %d bytes was kept", cap(b.B))
			}
		}
	}
}

// TestPoolsLearnTheirSize: after so many uses that a pool has learned its size, a new buffer of it
// is of the size that the pool is for.
func TestPoolsLearnTheirSize(t *testing.T) {
	for size := minBuffer; size <= maxBuffer; size++ {
		for range 43_000 { // more than it takes
			release(takeBuffer(1 << size))
		}
		var held []*buffer
		for range 100 {
			b := takeBuffer(1<<size - 1)
			if len(b.B) != 0 || cap(b.B) != 1<<size {
				t.Fatalf("a buffer of %d bytes in %d, want none in %d", len(b.B), cap(b.B), 1<<size)
			}
			held = append(held, b)
		}
		for _, b := range held {
			release(b)
		}
	}
}

// TestContentIsHeldAsItComes: a length that is announced costs nothing.
func TestContentIsHeldAsItComes(t *testing.T) {
	const announced = 4 << 20
	b := takeBuffer(1)
	piece := bytes.Repeat([]byte("x"), 1000)
	for len(b.B) < announced-len(piece) {
		b.reserve(len(piece), announced-len(b.B))
		if b.B = append(b.B, piece...); cap(b.B) > max(2*len(b.B), 1<<minBuffer) {
			t.Fatalf("%d bytes of %d have come, %d are held", len(b.B), announced, cap(b.B))
		}
	}
	if cap(b.B) > announced+announced/8 {
		t.Errorf("%d bytes are held for a content of %d", cap(b.B), announced)
	}
}

// heapOf returns by how much the live heap grows when f makes n things, for each of them.
func heapOf(n int, f func()) int64 {
	live := func() int64 {
		var m runtime.MemStats
		for range 3 {
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := live()
	f()
	return (live() - before) / int64(n)
}

// TestPartialHeadsCostWhatTheySent: a connection that has sent a part of a head holds that part and
// how far it is parsed, and a connection that has sent a part of its content that part too,
// whatever the requests before it needed.
func TestPartialHeadsCostWhatTheySent(t *testing.T) {
	if raceEnabled() || testing.Short() {
		t.Skip("measures the heap")
	}
	const n = 2000
	partOfHead := []byte("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nX-Padding: " + string(bytes.Repeat([]byte("x"), 8000)))
	content := append([]byte("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json\r\nContent-Length: 4000000\r\n\r\n"), bytes.Repeat([]byte(" "), 60_000)...)
	for _, used := range []bool{false, true} {
		l := newIdleLoop(t, nil)
		if used {
			s := l.connect()
			for _, size := range []int{200, 5000, 15_000} {
				for range 2 * keepExchanges / 100 {
					s.deliver([]byte(request{method: "tools/fly", body: `{"jsonrpc":"2.0","id":1,"method":"x","params":{"x":"` + string(bytes.Repeat([]byte("y"), size)) + `"}}`}.String()))
				}
			}
			for range 50_000 {
				release(bufferOf(make([]byte, 200)).grown(60_000))
			}
		}
		socks := make([]*idleSocket, n)
		idle := heapOf(n, func() {
			for i := range socks {
				socks[i] = l.connect()
			}
		})
		for _, tt := range []struct {
			what  string
			sent  []byte
			fixed int64 // what a request needs besides its bytes
		}{
			{"a part of a head", partOfHead[:1], 300},
			{"a part of a head", partOfHead[:90], 300},
			{"a part of a head", partOfHead[:700], 300},
			{"a part of a head", partOfHead, 300},
			{"a part of a content", content[:200], 700},
			{"a part of a content", content[:1500], 700},
			{"a part of a content", content[:50_000], 700},
		} {
			for i, s := range socks {
				s.end(nil)
				socks[i] = l.connect()
			}
			got := heapOf(n, func() {
				for _, s := range socks {
					s.deliver(tt.sent)
				}
			})
			t.Logf("used %v: idle %d, %d bytes of %s: %d more", used, idle, len(tt.sent), tt.what, got)
			if got > tt.fixed+2*int64(len(tt.sent)) {
				t.Errorf("used %v: %s of %d bytes holds %d", used, tt.what, len(tt.sent), got)
			}
		}
		runtime.KeepAlive(socks)
	}
}

func (b *buffer) grown(n int) *buffer {
	b.add(make([]byte, n))
	return b
}
