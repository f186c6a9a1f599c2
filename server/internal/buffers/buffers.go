// Package buffers has the pooled buffers of package server: what has arrived of a request,
// content, messages on their way to a loop, and what the kernel has not taken yet. Its functions
// may be called from any goroutine; a buffer has one owner at a time.
//
// The pools have fixed sizes, so that what is held depends on what it is held for and not on what
// others needed before: a single pool learns its size from its users and gives a client that has
// sent one byte what the answers of all others need. A buffer above the largest size is allocated
// for its use and then left to the collector.
package buffers

import (
	"math/bits"

	"github.com/valyala/bytebufferpool"
)

// Buffer is bytes that one owner at a time holds.
type Buffer bytebufferpool.ByteBuffer

const (
	minSize = 6  // the smallest size is 1 << minSize bytes
	maxSize = 16 // and the largest that is kept 1 << maxSize
)

// pools are the free buffers: those of pool i have room for 1 << (minSize + i) bytes. A pool gets
// back only buffers of its own size, so that is the size it learns.
var pools [maxSize - minSize + 1]bytebufferpool.Pool

// Take returns an empty buffer with room for n bytes.
func Take(n int) *Buffer {
	size := max(minSize, bits.Len(uint(max(n, 1)-1)))
	if size > maxSize {
		return &Buffer{B: make([]byte, 0, n)}
	}
	b := (*Buffer)(pools[size-minSize].Get())
	if cap(b.B) != 1<<size { // a new one of a pool that has not learned its size yet
		b.B = make([]byte, 0, 1<<size)
	}
	return b
}

// Of returns a buffer that holds a copy of p.
func Of(p []byte) *Buffer {
	if len(p) > 1<<maxSize {
		return &Buffer{B: append([]byte(nil), p...)} // its memory is not cleared first
	}
	b := Take(len(p))
	b.B = append(b.B, p...)
	return b
}

// Release gives b, which may be nil, back and returns nil. A buffer whose owner has changed its
// size is not kept.
func Release(b *Buffer) *Buffer {
	if b == nil {
		return nil
	}
	if size := bits.Len(uint(cap(b.B))) - 1; minSize <= size && size <= maxSize && cap(b.B) == 1<<size {
		b.B = b.B[:cap(b.B)] // the pool learns from the length, and empties it
		pools[size-minSize].Put((*bytebufferpool.ByteBuffer)(b))
	}
	return nil
}

// Reserve makes room for n more bytes. At most limit bytes will follow in all: memory is taken as
// they arrive, not because they are announced.
func (b *Buffer) Reserve(n, limit int) {
	need := len(b.B) + n
	if need <= cap(b.B) {
		return
	}
	if need > 1<<maxSize {
		need = max(need, min(len(b.B)+limit, 2*cap(b.B)))
	}
	larger := Take(need)
	larger.B = append(larger.B, b.B...)
	b.B, larger.B = larger.B, b.B
	Release(larger)
}

// Add appends p. It leaves room for a quarter more, so that many small additions do not copy
// everything each time.
func (b *Buffer) Add(p []byte) {
	b.Reserve(len(p), max(len(p), len(b.B)/4))
	b.B = append(b.B, p...)
}

// Fit returns b, or a smaller buffer in its place if its bytes leave most of it empty.
func (b *Buffer) Fit() *Buffer {
	if cap(b.B) <= 4*max(len(b.B), 1<<minSize) {
		return b
	}
	fitting := Of(b.B)
	Release(b)
	return fitting
}
