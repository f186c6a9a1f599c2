package mcp

import (
	"context"
	"io"
	"sync"
)

// An InMemoryTransport is one end of a connection within this process, made by
// [NewInMemoryTransports]. It carries the same lines as [StdioTransport]. It is also an
// io.ReadWriteCloser over the bytes of these lines, for clients with transports of their own.
type InMemoryTransport struct {
	in, out *memoryPipe
}

// NewInMemoryTransports returns the two ends of a connection. Either may be given to
// [Server.Connect].
func NewInMemoryTransports() (*InMemoryTransport, *InMemoryTransport) {
	a, b := newMemoryPipe(), newMemoryPipe()
	return &InMemoryTransport{a, b}, &InMemoryTransport{b, a}
}

// Connect implements [Transport].
func (t *InMemoryTransport) Connect(context.Context) (Connection, error) {
	return newIOConn(t, keepOpen{t}, 0), nil
}

// Read reads bytes that the other end has written. It returns io.EOF once either end is closed
// and everything is read.
func (t *InMemoryTransport) Read(p []byte) (int, error) { return t.in.read(p) }

// Write writes bytes for the other end. It waits while 64 KiB have not been read, and returns
// io.ErrClosedPipe once either end is closed.
func (t *InMemoryTransport) Write(p []byte) (int, error) { return t.out.write(p) }

// Close closes the connection. The other end may still read what was written.
func (t *InMemoryTransport) Close() error {
	t.in.close()
	t.out.close()
	return nil
}

// memoryRoom is the number of bytes that a memoryPipe holds, as much as a pipe of Linux.
const memoryRoom = 64 << 10

// A memoryPipe is a pipe with room for memoryRoom bytes.
type memoryPipe struct {
	mu     sync.Mutex // guards the rest
	moved  sync.Cond  // bytes came or went, or the pipe was closed
	buf    []byte
	start  int
	closed bool
}

func newMemoryPipe() *memoryPipe {
	p := new(memoryPipe)
	p.moved.L = &p.mu
	return p
}

func (p *memoryPipe) read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.buf) == p.start {
		if p.closed {
			return 0, io.EOF
		}
		p.moved.Wait()
	}
	n := copy(b, p.buf[p.start:])
	if p.start += n; p.start == len(p.buf) {
		p.buf, p.start = p.buf[:0], 0
	}
	p.moved.Broadcast()
	return n, nil
}

func (p *memoryPipe) write(b []byte) (n int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(b) > 0 {
		if p.closed {
			return n, io.ErrClosedPipe
		}
		room := memoryRoom - (len(p.buf) - p.start)
		if room == 0 {
			p.moved.Wait()
			continue
		}
		if len(p.buf)+min(room, len(b)) > memoryRoom {
			p.buf = append(p.buf[:0], p.buf[p.start:]...)
			p.start = 0
		}
		k := min(room, len(b))
		p.buf = append(p.buf, b[:k]...)
		b, n = b[k:], n+k
		p.moved.Broadcast()
	}
	return n, nil
}

func (p *memoryPipe) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.moved.Broadcast()
}
