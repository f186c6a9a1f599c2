package mcp

import (
	"bytes"
	"encoding/json"
	"errors"
	"sync"
	"time"
)

// An outbox holds the messages that wait to be written to a connection. A goroutine that has put a
// message there writes it itself, unless another is writing: then that one, or a goroutine of the
// outbox, writes it too. Messages never wait for each other longer than one write takes.
type outbox struct {
	write  func(lines []byte) error
	failed func(error)   // called once, on a goroutine of its own, when a write has failed
	limit  int           // bytes that may wait before room says no
	stall  time.Duration // after which a write is given up

	mu      sync.Mutex // guards the rest
	changed sync.Cond  // bytes were written, or the outbox has failed
	pending []byte     // whole lines
	spare   []byte     // the buffer that was written last
	writing bool
	err     error       // why nothing is written any more
	watch   *time.Timer // gives up a write; nil before the first
}

// keepPending is the capacity of the largest buffer that an outbox keeps.
const keepPending = 256 << 10

// errStalled ends a session whose client does not read.
var errStalled = errors.New("mcp: the client does not read")

func (o *outbox) init(write func([]byte) error, failed func(error), limit int, stall time.Duration) {
	o.write, o.failed, o.limit, o.stall = write, failed, limit, stall
	o.changed.L = &o.mu
}

// put adds a message, which is copied. Flush writes it.
func (o *outbox) put(msg ...[]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return
	}
	start := len(o.pending)
	for _, part := range msg {
		o.pending = append(o.pending, part...)
	}
	// Only the white space of JSON that a host has written by hand has line ends.
	if line := o.pending[start:]; bytes.IndexByte(line, '\n') >= 0 || bytes.IndexByte(line, '\r') >= 0 {
		var b bytes.Buffer
		if json.Compact(&b, line) == nil {
			o.pending = append(o.pending[:start], b.Bytes()...)
		}
	}
	o.pending = append(o.pending, '\n')
}

// room reports whether n more bytes may wait.
func (o *outbox) room(n int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err == nil && len(o.pending)+n <= o.limit
}

// idle reports whether there is nothing to write.
func (o *outbox) idle() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.pending) == 0
}

// waitRoom waits until fewer bytes wait than the limit, or nothing is written any more.
func (o *outbox) waitRoom() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.err == nil && len(o.pending) > o.limit {
		o.changed.Wait()
	}
}

// ownRounds is how often a goroutine that flushes goes on to write the messages of others.
const ownRounds = 2

// flush writes the messages that wait, unless another goroutine does.
func (o *outbox) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.writing {
		return
	}
	for range ownRounds {
		if len(o.pending) == 0 || o.err != nil {
			return
		}
		o.writePending()
	}
	if len(o.pending) > 0 && o.err == nil {
		o.writing = true
		go o.drain()
	}
}

// writePending writes what waits. It is called with o.mu held, which it gives up meanwhile.
func (o *outbox) writePending() {
	b := o.pending
	o.pending, o.spare = o.spare[:0], nil
	o.writing = true
	if o.watch == nil {
		o.watch = time.AfterFunc(o.stall, o.giveUp)
	} else {
		o.watch.Reset(o.stall)
	}
	o.mu.Unlock()
	var err error
	for rest := b; len(rest) > 0 && err == nil; {
		n := firstLines(rest)
		err = o.write(rest[:n])
		rest = rest[n:]
		o.watch.Reset(o.stall)
	}
	o.mu.Lock()
	o.watch.Stop()
	o.writing = false
	if cap(b) <= keepPending && o.err == nil {
		o.spare = b
	}
	if err != nil {
		o.fail(err)
	}
	o.changed.Broadcast()
}

// maxWrite is the length of lines that are written together, unless a single one is longer.
const maxWrite = 64 << 10

// firstLines returns the length of the lines at the start of b, whole lines, that are written
// together.
func firstLines(b []byte) int {
	if len(b) <= maxWrite {
		return len(b)
	}
	if i := bytes.LastIndexByte(b[:maxWrite], '\n'); i >= 0 {
		return i + 1
	}
	return maxWrite + bytes.IndexByte(b[maxWrite:], '\n') + 1
}

// giveUp ends the outbox if a write is still under way.
func (o *outbox) giveUp() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.writing {
		o.fail(errStalled)
	}
}

// fail ends the outbox with err, unless it has ended. It is called with o.mu held.
func (o *outbox) fail(err error) {
	if o.err != nil {
		return
	}
	o.err = err
	o.pending, o.spare = nil, nil
	o.changed.Broadcast()
	if err != ErrConnectionClosed {
		go o.failed(err)
	}
}

// drain writes until nothing waits.
func (o *outbox) drain() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.pending) > 0 && o.err == nil {
		o.writePending()
		o.writing = true
	}
	o.writing = false
	o.changed.Broadcast()
}

// settle flushes and waits until everything is written, or nothing is any more.
func (o *outbox) settle() {
	o.flush()
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.err == nil && (o.writing || len(o.pending) > 0) {
		o.changed.Wait()
	}
}

// close makes the outbox drop what waits and what comes.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fail(ErrConnectionClosed)
}
