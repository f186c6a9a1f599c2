//go:build unix

package child

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A writeBuffer is what a write is made of.
type writeBuffer struct{ b []byte }

var writeBuffers = sync.Pool{New: func() any { return &writeBuffer{make([]byte, 0, maxWrite+4<<10)} }}

// write writes what waits, all of it in one write, until the link ends. It closes stdin.
func (c *child) write(stdin *os.File) {
	defer func() { _ = stdin.Close() }()
	for c.awaitQueue() {
		buf := writeBuffers.Get().(*writeBuffer)
		c.mu.Lock()
		line := c.queue.take(buf.b[:0])
		c.mu.Unlock()
		n, err := stdin.Write(line)
		c.server.bytesOut.Add(uint64(n))
		if cap(line) <= 2*maxWrite {
			buf.b = line
			writeBuffers.Put(buf)
		}
		if err != nil {
			close(c.broken)
			return
		}
	}
}

// awaitQueue waits for a message, and reports false if stdin should be closed.
func (c *child) awaitQueue() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.queue.bytes == 0 {
		if c.endInput {
			return false
		}
		c.cond.Wait()
	}
	return true
}

// read reads stdout until it ends or is closed. It never waits for anything but the child, or for
// memory for a long line.
func (c *child) read(stdout *os.File) {
	n := c.server.nursery
	in := lines{
		max:     c.server.opts.MaxLine,
		reserve: func(size int) bool { return n.reserve(size, c.stop) },
		release: n.release,
	}
	defer in.close()
	first := true
	for {
		space := in.space()
		if in.large() { // if nothing comes soon, the large buffer is not needed
			_ = stdout.SetReadDeadline(time.Now().Add(idleBuffer))
		}
		got, err := stdout.Read(space)
		c.server.bytesIn.Add(uint64(got))
		in.wrote(got)
		for {
			line, long, ok := in.next()
			if !ok {
				break
			}
			if long != nil {
				c.receiveLong(long)
				continue
			}
			if first {
				line = bytes.TrimPrefix(line, []byte("\xEF\xBB\xBF"))
				first = false
			}
			c.receiveLine(line)
		}
		in.idle()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			in.shrink()
			_ = stdout.SetReadDeadline(time.Time{})
		case err != nil:
			return
		}
	}
}

// idleBuffer is how long a child may be silent before its reader lets a large buffer go.
const idleBuffer = time.Second

// receiveLine gives the messages of a line to the Receiver.
func (c *child) receiveLine(line []byte) {
	line = bytes.Trim(line, " \t\r")
	switch {
	case len(line) == 0:
	case line[0] == '{':
		c.receive(line, line)
	case line[0] == '[': // of revision 2025-03-26
		found := false
		for element := range jsonrpc.Elements(line) {
			found = true
			if element[0] == '{' {
				c.receive(element, line)
			} else {
				c.server.stray(line)
			}
		}
		if !found {
			c.server.stray(line)
		}
	default:
		c.server.stray(line)
	}
}

// receive gives one message, which is line or a part of it, to the Receiver.
func (c *child) receive(msg, line []byte) {
	id, class := classify(msg)
	switch class {
	case response:
		c.setReady()
		if c.claim(id) {
			c.r.Receive(id, msg)
		} else if !c.isOver() {
			c.server.late.Add(1)
		}
	case other:
		c.setReady()
		if !c.isOver() {
			c.r.Receive(0, msg)
		}
	case stray:
		c.server.stray(line)
	}
}

// receiveLong fails the request that a line which was too long responds to.
func (c *child) receiveLong(long *longLine) {
	c.server.tooLong.Add(1)
	c.setReady()
	if id, ok := requestOf(long); ok && c.claim(id) {
		c.failLine(id)
		return
	}
	c.server.long(long)
}

// setReady says that the child has sent its first message. Only the reader calls it.
func (c *child) setReady() {
	if !isClosed(c.ready) {
		c.setState(Up)
		close(c.ready)
	}
}

// readStderr reads stderr from the first byte to the last, keeps its end, and logs its lines.
func (c *child) readStderr(stderr *os.File) {
	log := c.server.opts.Logger.With("server", c.server.opts.Name, "pid", c.pid)
	buf := make([]byte, 4<<10)
	var line []byte // the beginning of a line
	for {
		n, err := stderr.Read(buf)
		c.server.bytesErr.Add(uint64(n))
		c.stderr.write(buf[:n])
		if log.Enabled(context.Background(), slog.LevelDebug) {
			line = logLines(log, append(line, buf[:n]...))
			if err != nil && len(line) > 0 {
				log.Debug("gateway: stderr", "line", string(line))
			}
		}
		if err != nil {
			return
		}
	}
}

// maxLogLine is the length of a line of stderr from which on it is logged in parts.
const maxLogLine = 8 << 10

// logLines logs the lines of b and returns the rest.
func logLines(log *slog.Logger, b []byte) []byte {
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 && len(b) < maxLogLine {
			return b
		}
		line := b
		if i >= 0 {
			line, b = b[:i], b[i+1:]
		} else {
			b = nil
		}
		log.Debug("gateway: stderr", "line", string(bytes.TrimRight(line, "\r")))
	}
}
