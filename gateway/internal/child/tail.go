package child

import (
	"bytes"
	"sync"
)

// maxTail is how much of the end of a child's stderr is kept.
const maxTail = 64 << 10

// A tail keeps the end of what is written to it. Its methods may be called from any goroutine.
type tail struct {
	mu  sync.Mutex
	buf []byte // up to twice maxTail, so that it is not moved with each write
}

func (t *tail) write(b []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b = b[max(len(b)-maxTail, 0):]
	if len(t.buf)+len(b) > 2*maxTail {
		keep := maxTail - len(b)
		t.buf = t.buf[:copy(t.buf, t.buf[len(t.buf)-keep:])]
	}
	t.buf = append(t.buf, b...)
}

// last returns a copy of at most the last n bytes, which do not begin within a UTF-8 sequence. What
// is not UTF-8 is replaced by question marks.
func (t *tail) last(n int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.buf[max(len(t.buf)-min(n, maxTail), 0):]
	if len(b) < len(t.buf) {
		for len(b) > 0 && b[0]&0xC0 == 0x80 {
			b = b[1:]
		}
	}
	return string(bytes.ToValidUTF8(b, []byte{'?'}))
}
