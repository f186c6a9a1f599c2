package buffers

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestBuffersFitTheirUse checks that the capacity of a buffer depends only on what it was taken
// for, not on its earlier uses.
func TestBuffersFitTheirUse(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var held []*Buffer
	want := func(why string, b *Buffer, n int) {
		t.Helper()
		if len(b.B) > cap(b.B) || cap(b.B) < n || cap(b.B) >= 2*max(n, 1<<minSize) {
			t.Fatalf("buffer %s for %d bytes has capacity %d", why, n, cap(b.B))
		}
	}
	for range 20_000 {
		n := 1 << rng.IntN(19)
		n += rng.IntN(n)
		var b *Buffer
		switch rng.IntN(4) {
		case 0:
			b = Take(n)
			if want("taken", b, n); len(b.B) != 0 {
				t.Fatalf("a new buffer contains %d bytes", len(b.B))
			}
			b.B = append(b.B, make([]byte, rng.IntN(2*n))...) // an owner may outgrow its buffer
		case 1:
			b = Of(make([]byte, n))
			want("copied", b, n)
		case 2:
			b = Take(rng.IntN(64))
			b.Add(make([]byte, n))
			b.Add(make([]byte, n))
			if len(b.B) != 2*n {
				t.Fatalf("buffer has %d bytes, want the %d that were added", len(b.B), 2*n)
			}
			if cap(b.B) > 64 {
				want("grown", b, 2*n)
			}
		default:
			b = Of(make([]byte, n))
			b.B = b.B[:rng.IntN(n)]
			left := len(b.B)
			if b = b.Fit(); len(b.B) != left || cap(b.B) > 4*max(left, 1<<minSize) {
				t.Fatalf("after fit, a buffer with %d of %d bytes left has capacity %d", left, n, cap(b.B))
			}
		}
		if held = append(held, b); len(held) > 50 {
			i := rng.IntN(len(held))
			held[i] = Release(held[i])
			held[i] = held[len(held)-1]
			held = held[:len(held)-1]
		}
	}
}

// TestLargeBuffersAreNotKept checks that the pools do not keep the memory that large messages
// needed.
func TestLargeBuffersAreNotKept(t *testing.T) {
	for range 64 {
		Release(Take(1 << 20))
		b := Take(100)
		b.Add(make([]byte, 1<<20))
		Release(b)
	}
	for size := minSize; size <= maxSize; size++ {
		for range 64 {
			b := Take(1 << size)
			if cap(b.B) > 1<<maxSize {
				t.Fatalf("a buffer of %d bytes was kept in a pool", cap(b.B))
			}
		}
	}
}

// TestPoolsLearnTheirSize checks that a pool, once it has been used often enough to learn its
// size, makes new buffers of exactly that size.
func TestPoolsLearnTheirSize(t *testing.T) {
	for size := minSize; size <= maxSize; size++ {
		for range 43_000 { // more than a pool needs to learn
			Release(Take(1 << size))
		}
		var held []*Buffer
		for range 100 {
			b := Take(1<<size - 1)
			if len(b.B) != 0 || cap(b.B) != 1<<size {
				t.Fatalf("new buffer has length %d and capacity %d, want 0 and %d", len(b.B), cap(b.B), 1<<size)
			}
			held = append(held, b)
		}
		for _, b := range held {
			Release(b)
		}
	}
}

// TestContentIsHeldAsItComes checks that a large Content-Length alone does not allocate memory.
func TestContentIsHeldAsItComes(t *testing.T) {
	const announced = 4 << 20
	b := Take(1)
	piece := bytes.Repeat([]byte("x"), 1000)
	for len(b.B) < announced-len(piece) {
		b.Reserve(len(piece), announced-len(b.B))
		if b.B = append(b.B, piece...); cap(b.B) > max(2*len(b.B), 1<<minSize) {
			t.Fatalf("with %d of %d bytes received, the buffer holds %d", len(b.B), announced, cap(b.B))
		}
	}
	if cap(b.B) > announced+announced/8 {
		t.Errorf("buffer holds %d bytes for content of %d", cap(b.B), announced)
	}
}
