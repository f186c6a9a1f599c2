package server

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"testing"
)

// TestBuffersFitTheirUse checks that the capacity of a buffer depends only on what it was taken
// for, not on its earlier uses.
func TestBuffersFitTheirUse(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var held []*buffer
	want := func(why string, b *buffer, n int) {
		t.Helper()
		if len(b.B) > cap(b.B) || cap(b.B) < n || cap(b.B) >= 2*max(n, 1<<minBuffer) {
			t.Fatalf("buffer %s for %d bytes has capacity %d", why, n, cap(b.B))
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
				t.Fatalf("a new buffer contains %d bytes", len(b.B))
			}
			b.B = append(b.B, make([]byte, rng.IntN(2*n))...) // an owner may outgrow its buffer
		case 1:
			b = bufferOf(make([]byte, n))
			want("copied", b, n)
		case 2:
			b = takeBuffer(rng.IntN(64))
			b.add(make([]byte, n))
			b.add(make([]byte, n))
			if len(b.B) != 2*n {
				t.Fatalf("buffer has %d bytes, want the %d that were added", len(b.B), 2*n)
			}
			if cap(b.B) > 64 {
				want("grown", b, 2*n)
			}
		default:
			b = bufferOf(make([]byte, n))
			b.B = b.B[:rng.IntN(n)]
			left := len(b.B)
			if b = b.fit(); len(b.B) != left || cap(b.B) > 4*max(left, 1<<minBuffer) {
				t.Fatalf("after fit, a buffer with %d of %d bytes left has capacity %d", left, n, cap(b.B))
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

// TestLargeBuffersAreNotKept checks that the pools do not keep the memory that large messages
// needed.
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
				t.Fatalf("a buffer of %d bytes was kept in a pool", cap(b.B))
			}
		}
	}
}

// TestPoolsLearnTheirSize checks that a pool, once it has been used often enough to learn its
// size, makes new buffers of exactly that size.
func TestPoolsLearnTheirSize(t *testing.T) {
	for size := minBuffer; size <= maxBuffer; size++ {
		for range 43_000 { // more than a pool needs to learn
			release(takeBuffer(1 << size))
		}
		var held []*buffer
		for range 100 {
			b := takeBuffer(1<<size - 1)
			if len(b.B) != 0 || cap(b.B) != 1<<size {
				t.Fatalf("new buffer has length %d and capacity %d, want 0 and %d", len(b.B), cap(b.B), 1<<size)
			}
			held = append(held, b)
		}
		for _, b := range held {
			release(b)
		}
	}
}

// TestContentIsHeldAsItComes checks that a large Content-Length alone does not allocate memory.
func TestContentIsHeldAsItComes(t *testing.T) {
	const announced = 4 << 20
	b := takeBuffer(1)
	piece := bytes.Repeat([]byte("x"), 1000)
	for len(b.B) < announced-len(piece) {
		b.reserve(len(piece), announced-len(b.B))
		if b.B = append(b.B, piece...); cap(b.B) > max(2*len(b.B), 1<<minBuffer) {
			t.Fatalf("with %d of %d bytes received, the buffer holds %d", len(b.B), announced, cap(b.B))
		}
	}
	if cap(b.B) > announced+announced/8 {
		t.Errorf("buffer holds %d bytes for content of %d", cap(b.B), announced)
	}
}

// heapOf returns the average growth of the live heap, in bytes, for each of the n things that f
// makes.
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

// TestPartialHeadsCostWhatTheySent checks that a connection that has sent part of a head holds
// only that part and the parser's position, and one that has sent part of its content only that
// part as well, whatever its earlier requests needed.
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
			fixed int64 // what a request needs in addition to its bytes
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
			t.Logf("after use %v: an idle connection holds %d bytes; with %d bytes of %s, %d more", used, idle, len(tt.sent), tt.what, got)
			if got > tt.fixed+2*int64(len(tt.sent)) {
				t.Errorf("after use %v: %s of %d bytes holds %d bytes", used, tt.what, len(tt.sent), got)
			}
		}
		runtime.KeepAlive(socks)
	}
}

func (b *buffer) grown(n int) *buffer {
	b.add(make([]byte, n))
	return b
}
