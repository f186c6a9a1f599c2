package sse

import (
	"bytes"
	"errors"
	"iter"
	"math"
	"time"
)

// DefaultMaxEventSize is the limit for an event if Decoder.MaxEventSize is zero.
const DefaultMaxEventSize = 8 << 20

// keepBuffer is the capacity of the largest buffer that is kept for the next event.
const keepBuffer = 64 << 10

// ErrTooLarge is the error for a stream with an event that is larger than allowed.
var ErrTooLarge = errors.New("sse: event too large")

// A Decoder reads one event stream, piece by piece. The zero Decoder is ready to
// use. It may be used by one goroutine at a time.
type Decoder struct {
	// MaxEventSize is the maximum number of bytes held for one event: its data, its type
	// and the line that is being read, whatever that is. Zero means DefaultMaxEventSize,
	// negative means no limit. It must not change while a stream is read.
	MaxEventSize int

	// line holds the beginning of a line whose end has not arrived.
	line []byte
	// rest is the part of the pieces that was not read because a loop was left early.
	rest []byte

	data    []byte // the data buffer of the standard: each value with an LF after it
	typ     []byte // the event type buffer
	id      string // the last event ID buffer
	lastID  string // the last event ID string
	retry   time.Duration
	failed  bool
	started bool // the first line has been read
	afterCR bool // the last line ended in CR, so that an LF now belongs to it

	hasID, hasRetry bool // the block has had such a field
	hasReconnection bool // the stream has had a retry field
	event           Event
	lastType        string // the last Type that was allocated; most events have the same
}

// LastEventID returns the last event ID, which a client sends as Last-Event-ID when
// it reconnects. A block without data may have set it.
func (d *Decoder) LastEventID() string { return d.lastID }

// ReconnectionTime returns the value of the last retry field and whether there was
// one, even in a block that was not an event.
func (d *Decoder) ReconnectionTime() (time.Duration, bool) { return d.retry, d.hasReconnection }

// Reset makes d ready for a new stream after a reconnect. It drops an unfinished
// event and keeps the last event ID and the reconnection time.
func (d *Decoder) Reset() {
	*d = Decoder{
		MaxEventSize: d.MaxEventSize,
		line:         d.line[:0], rest: d.rest[:0], data: d.data[:0], typ: d.typ[:0],
		id: d.lastID, lastID: d.lastID,
		retry: d.retry, hasReconnection: d.hasReconnection,
		lastType: d.lastType,
	}
}

// Decode yields the events that src, the next piece of the stream, completes. It
// makes no difference where the stream is cut. An event that is incomplete at the
// end of the stream is never yielded.
//
// The Event and its Data are valid until the loop continues. If the loop is left
// early, Decode copies the part of src that it has not read, and the next call reads
// it first. The only error is ErrTooLarge. It is the last thing yielded, and every
// later call yields only it.
func (d *Decoder) Decode(src []byte) iter.Seq2[*Event, error] {
	return func(yield func(*Event, error) bool) {
		if len(d.rest) == 0 {
			n := d.decode(src, yield)
			d.rest = append(d.rest, src[n:]...)
			return
		}
		d.rest = append(d.rest, src...)
		src = d.rest
		n := d.decode(src, yield)
		d.rest = append(src[:0], src[n:]...)
	}
}

// decode reads src and returns how many bytes it has read. It reads less than all
// only if yield returned false.
func (d *Decoder) decode(src []byte, yield func(*Event, error) bool) int {
	if d.failed {
		yield(nil, ErrTooLarge)
		return len(src)
	}
	i := 0
	nextLF, nextCR := -1, -1 // where the next of each is, at or after i
	for i < len(src) {
		if d.afterCR {
			d.afterCR = false
			if src[i] == '\n' {
				i++
				continue
			}
		}
		// Each is searched for again only after itself, which is linear for any mix.
		if nextLF < i {
			nextLF = index(src, i, '\n')
		}
		if nextCR < i {
			nextCR = index(src, i, '\r')
		}
		end := min(nextLF, nextCR)
		if d.tooLarge(end - i) {
			d.fail()
			yield(nil, ErrTooLarge)
			return len(src)
		}
		line := src[i:end]
		if end == len(src) {
			d.line = append(d.line, line...)
			return end
		}
		i = end + 1
		d.afterCR = src[end] == '\r'
		if len(d.line) > 0 {
			d.line = append(d.line, line...)
			line = d.line
		}
		dispatch := d.readLine(line)
		d.line = recycle(d.line)
		if dispatch {
			more := yield(&d.event, nil)
			d.data = recycle(d.data)
			d.event.Data = nil
			if !more {
				return i
			}
		}
	}
	return i
}

// index returns the index of the first c in src from i on, or len(src) if there is
// none.
func index(src []byte, i int, c byte) int {
	if n := bytes.IndexByte(src[i:], c); n >= 0 {
		return i + n
	}
	return len(src)
}

// recycle returns buf with length 0, or nil if it is too large to be kept.
func recycle(buf []byte) []byte {
	if cap(buf) > keepBuffer {
		return nil
	}
	return buf[:0]
}

// tooLarge reports whether n more bytes of a line exceed the limit.
func (d *Decoder) tooLarge(n int) bool {
	limit := d.MaxEventSize
	switch {
	case limit < 0:
		return false
	case limit == 0:
		limit = DefaultMaxEventSize
	}
	return n > limit-len(d.line)-len(d.data)-len(d.typ)
}

// fail drops everything that has been read.
func (d *Decoder) fail() {
	d.failed = true
	d.line, d.data, d.typ, d.rest = nil, nil, nil, nil
}

// readLine interprets a line (section 9.2.6) and reports whether d.event must be
// dispatched.
func (d *Decoder) readLine(line []byte) bool {
	if !d.started {
		d.started = true
		// "Streams must be decoded using the UTF-8 decode algorithm. Note: it strips one
		// leading UTF-8 Byte Order Mark, if any." The mark has no line end, so that it
		// is whole in the first line.
		line = bytes.TrimPrefix(line, []byte("\xEF\xBB\xBF"))
	}
	// "If the line is empty: dispatch the event".
	if len(line) == 0 {
		return d.endBlock()
	}
	// "Collect the characters on the line before the first U+003A (:), and let field be
	// that string. Collect the characters after it, and let value be that string. If
	// value starts with a U+0020 SPACE character, remove it from value."
	field, value, _ := bytes.Cut(line, []byte{':'})
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	// "Field names must be compared literally, with no case folding performed." A
	// comment is a line whose field name is empty.
	switch string(field) {
	case "event":
		d.typ = appendUTF8(d.typ[:0], value)
	case "data":
		d.data = append(appendUTF8(d.data, value), '\n')
	case "id":
		// "If the field value does not contain U+0000 NULL".
		if bytes.IndexByte(value, 0) < 0 {
			d.hasID = true
			if d.id != string(value) {
				d.id = string(appendUTF8(nil, value))
			}
		}
	case "retry":
		// "If the field value consists of only ASCII digits".
		if t, ok := parseRetry(value); ok {
			d.hasRetry, d.hasReconnection = true, true
			d.retry = t
		}
	}
	return false
}

// endBlock ends a block and reports whether it is dispatched as d.event.
func (d *Decoder) endBlock() bool {
	// "Set the last event ID string of the event source to the value of the last event
	// ID buffer. The buffer does not get reset".
	d.lastID = d.id
	hasID, hasRetry := d.hasID, d.hasRetry
	d.hasID, d.hasRetry = false, false
	// "If the data buffer is an empty string, set the data buffer and the event type
	// buffer to the empty string and return."
	if len(d.data) == 0 {
		d.typ = d.typ[:0]
		return false
	}
	typ := ""
	if len(d.typ) > 0 {
		if d.lastType != string(d.typ) {
			d.lastType = string(d.typ)
		}
		typ = d.lastType
	}
	d.typ = recycle(d.typ)
	// "If the data buffer's last character is a U+000A LINE FEED (LF) character, then
	// remove the last character from the data buffer."
	d.event = Event{Type: typ, ID: d.lastID, Data: d.data[:len(d.data)-1], HasID: hasID, HasRetry: hasRetry}
	if hasRetry {
		d.event.Retry = d.retry
	}
	return true
}

// parseRetry returns value, a number of milliseconds, as a Duration. It returns the
// longest Duration if there are too many.
func parseRetry(value []byte) (time.Duration, bool) {
	const most = math.MaxInt64 / int64(time.Millisecond)
	var ms int64
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0, false
		}
		ms = min(ms*10+int64(c-'0'), most)
	}
	return time.Duration(ms) * time.Millisecond, len(value) > 0
}
