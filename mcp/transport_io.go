package mcp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"sync"
	"sync/atomic"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// DefaultMaxLineLength is the default maximum length of a line of input in bytes.
const DefaultMaxLineLength = 16 << 20

// A StdioTransport is a [Transport] over the standard input and output of this process: one JSON
// text on each line. Nothing else may write to the standard output.
type StdioTransport struct {
	// MaxLineLength is the maximum length of a line of input in bytes. A longer one is skipped and
	// answered with an error. 0 means [DefaultMaxLineLength], and negative no limit.
	MaxLineLength int
}

// Connect implements [Transport].
func (t *StdioTransport) Connect(context.Context) (Connection, error) {
	return newIOConn(os.Stdin, keepOpen{os.Stdout}, t.MaxLineLength), nil
}

// keepOpen is a Writer whose Close does nothing.
type keepOpen struct{ io.Writer }

func (keepOpen) Close() error { return nil }

// An IOTransport is a [Transport] over a Reader and a Writer: one JSON text on each line. Both are
// closed with the connection, which must end a Read that waits.
type IOTransport struct {
	Reader io.ReadCloser
	Writer io.WriteCloser

	// MaxLineLength is like that of [StdioTransport].
	MaxLineLength int
}

// Connect implements [Transport]. It returns an error if the Reader or the Writer is nil.
func (t *IOTransport) Connect(context.Context) (Connection, error) {
	if t.Reader == nil || t.Writer == nil {
		return nil, errors.New("mcp: an IOTransport needs a Reader and a Writer")
	}
	return newIOConn(t.Reader, t.Writer, t.MaxLineLength), nil
}

// An ioConn is a connection over lines.
type ioConn struct {
	lineReader
	r io.ReadCloser
	w io.WriteCloser

	closing  sync.Once
	closeErr error
	closed   atomic.Bool

	writing sync.Mutex // held in Write
	batch   [][]byte   // elements of a batch that Read has not returned yet
}

func newIOConn(r io.ReadCloser, w io.WriteCloser, limit int) *ioConn {
	if limit == 0 {
		limit = DefaultMaxLineLength
	}
	return &ioConn{lineReader: lineReader{r: r, limit: limit}, r: r, w: w}
}

func (c *ioConn) fill(context.Context) error {
	err := c.lineReader.fill()
	if err != nil && c.closed.Load() {
		return io.EOF
	}
	return err
}

func (c *ioConn) writeLines(_ context.Context, lines []byte) error {
	if c.closed.Load() {
		return ErrConnectionClosed
	}
	_, err := c.w.Write(lines)
	return err
}

// Read implements [Connection], for callers that connect the transport themselves. The elements of
// a batch are returned one by one.
func (c *ioConn) Read(ctx context.Context) (jsonrpc.Message, error) {
	var ended error
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if len(c.batch) > 0 {
			text := c.batch[0]
			c.batch = c.batch[1:]
			return jsonrpc.DecodeMessage(text)
		}
		text, err := c.next()
		switch {
		case err != nil:
			return nil, err
		case text == nil && ended != nil:
			return nil, ended
		case text == nil:
			ended = c.fill(ctx)
			continue
		case !jsonrpc.IsBatch(text):
			return jsonrpc.DecodeMessage(text)
		}
		if _, err := jsonrpc.DecodeBatch(text); err != nil {
			return nil, err
		}
		for element := range jsonrpc.Elements(bytes.Clone(text)) {
			c.batch = append(c.batch, element)
		}
	}
}

// Write implements [Connection].
func (c *ioConn) Write(ctx context.Context, m jsonrpc.Message) error {
	text, err := jsonrpc.EncodeMessage(m)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.writeLines(ctx, append(text, '\n'))
}

// Close implements [Connection].
func (c *ioConn) Close() error {
	c.closing.Do(func() {
		c.closed.Store(true)
		c.closeErr = errors.Join(c.r.Close(), c.w.Close())
	})
	return c.closeErr
}

// SessionID implements [Connection]. It returns "".
func (c *ioConn) SessionID() string { return "" }

// A lineReader splits what it reads into lines. A line of white space is none.
type lineReader struct {
	r     io.Reader
	limit int // negative for none

	buf      []byte
	start    int   // of what next has not returned
	scanned  int   // no line end is before this
	skipping bool  // within a line that is too long
	tooLong  bool  // such a line has ended
	retained bool  // texts in buf must stay valid
	err      error // of the Reader; nothing comes after it
}

// minRead is the room for one read in bytes.
const minRead = 4 << 10

// maxRead is the capacity of the largest buffer that is kept for the next lines.
const maxRead = 64 << 10

var errLineTooLong = errors.New("mcp: line too long")

// retain implements textConn.
func (l *lineReader) retain() { l.retained = true }

// next implements textConn.
func (l *lineReader) next() ([]byte, error) {
	for {
		if l.tooLong {
			l.tooLong = false
			return nil, errLineTooLong
		}
		var line []byte
		if i := bytes.IndexByte(l.buf[l.scanned:], '\n'); i >= 0 {
			end := l.scanned + i
			line = l.buf[l.start:end:end]
			l.start, l.scanned = end+1, end+1
		} else {
			l.scanned = len(l.buf)
			if l.err == nil && (l.limit < 0 || len(l.buf)-l.start <= l.limit) {
				return nil, nil
			}
			if len(l.buf) == l.start && !l.skipping {
				return nil, nil
			}
			line = l.buf[l.start:]
			l.start = len(l.buf)
			if l.err == nil {
				l.skipping = true
				continue // the rest of the line is read and forgotten
			}
		}
		switch {
		case l.skipping:
			l.skipping, l.tooLong = false, true
		case l.limit >= 0 && len(line) > l.limit:
			l.tooLong = true
		case len(bytes.TrimLeft(line, " \t\r")) > 0:
			return line, nil
		}
	}
}

// fill reads more.
func (l *lineReader) fill() error {
	if l.err != nil {
		return l.err
	}
	if l.skipping {
		l.start, l.scanned = len(l.buf), len(l.buf)
	}
	if l.start == len(l.buf) && !l.retained {
		l.buf, l.start, l.scanned = l.buf[:0], 0, 0
	}
	if cap(l.buf)-len(l.buf) < minRead {
		l.makeRoom()
	}
	n, err := l.r.Read(l.buf[len(l.buf):cap(l.buf)])
	l.buf = l.buf[:len(l.buf)+n]
	l.err = err
	return err
}

// makeRoom moves what has not been returned to the start of a buffer that has room for a read.
func (l *lineReader) makeRoom() {
	rest := l.buf[l.start:]
	size := maxRead
	if l.buf == nil {
		size = minRead // most clients send little at first
	}
	for size < len(rest)+minRead {
		size *= 2
	}
	if l.retained || cap(l.buf) < len(rest)+minRead || cap(l.buf) > maxRead && size < cap(l.buf) {
		l.buf = append(make([]byte, 0, size), rest...)
		l.retained = false
	} else {
		l.buf = append(l.buf[:0], rest...)
	}
	l.scanned -= l.start
	l.start = 0
}

// eachLine ranges over the lines in b, each of which ends with a line feed, without it.
func eachLine(b []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			line, rest, _ := bytes.Cut(b, []byte{'\n'})
			if !yield(line) {
				return
			}
			b = rest
		}
	}
}
