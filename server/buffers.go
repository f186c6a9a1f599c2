package server

import (
	"math/bits"

	"github.com/valyala/bytebufferpool"
)

// buffer is bytes that one owner at a time holds: the content of a request, what arrived of one, or a message on its way to a loop.
//
// Buffers come from pools of fixed sizes, so that what is held depends on what it is held for and
// not on what others needed before: a single pool learns its size from its users and gives a client
// that has sent one byte what the answers of all others need. A buffer above the largest size is
// allocated for its use and then left to the collector.
type buffer bytebufferpool.ByteBuffer

const (
	minBuffer = 6  // the smallest size is 1 << minBuffer bytes
	maxBuffer = 16 // and the largest that is kept 1 << maxBuffer
)

// bufferPools are the free buffers: those of pool i have room for 1 << (minBuffer + i) bytes. All
// that a pool gets back is of its size, so that is the size which it learns.
var bufferPools [maxBuffer - minBuffer + 1]bytebufferpool.Pool

// takeBuffer returns an empty buffer with room for n bytes.
func takeBuffer(n int) *buffer {
	size := max(minBuffer, bits.Len(uint(max(n, 1)-1)))
	if size > maxBuffer {
		return &buffer{B: make([]byte, 0, n)}
	}
	b := (*buffer)(bufferPools[size-minBuffer].Get())
	if cap(b.B) != 1<<size { // a new one of a pool that has not learned its size yet
		b.B = make([]byte, 0, 1<<size)
	}
	return b
}

// bufferOf returns a buffer that holds a copy of p.
func bufferOf(p []byte) *buffer {
	if len(p) > 1<<maxBuffer {
		return &buffer{B: append([]byte(nil), p...)} // its memory is not cleared first
	}
	b := takeBuffer(len(p))
	b.B = append(b.B, p...)
	return b
}

// release gives b, which may be nil, back and returns nil. A buffer that its owner has made another size is not kept.
func release(b *buffer) *buffer {
	if b == nil {
		return nil
	}
	if size := bits.Len(uint(cap(b.B))) - 1; minBuffer <= size && size <= maxBuffer && cap(b.B) == 1<<size {
		b.B = b.B[:cap(b.B)] // the pool learns from the length, and empties it
		bufferPools[size-minBuffer].Put((*bytebufferpool.ByteBuffer)(b))
	}
	return nil
}

// reserve makes room for n more bytes, of limit that may follow: memory is taken as they come, and not because they are announced.
func (b *buffer) reserve(n, limit int) {
	need := len(b.B) + n
	if need <= cap(b.B) {
		return
	}
	if need > 1<<maxBuffer {
		need = max(need, min(len(b.B)+limit, 2*cap(b.B)))
	}
	larger := takeBuffer(need)
	larger.B = append(larger.B, b.B...)
	b.B, larger.B = larger.B, b.B
	release(larger)
}

// add appends p. There is room for a quarter more then: who adds little many times does not have all copied each time.
func (b *buffer) add(p []byte) {
	b.reserve(len(p), max(len(p), len(b.B)/4))
	b.B = append(b.B, p...)
}

// fit returns b, or a smaller buffer in its place if its bytes leave most of it empty.
func (b *buffer) fit() *buffer {
	if cap(b.B) <= 4*max(len(b.B), 1<<minBuffer) {
		return b
	}
	fitting := bufferOf(b.B)
	release(b)
	return fitting
}
