package child

import (
	"bytes"
	"sync"
)

const (
	lineBuffer = 64 << 10 // the usual size of a buffer
	keptHead   = 1 << 10  // bytes of a line that is too long, from its beginning
	keptTail   = 128      // and from its end
	// shrinkAfter is the number of lines after which a larger buffer is let go, if they did not
	// need it.
	shrinkAfter = 32
)

var lineBuffers = sync.Pool{New: func() any { return new([lineBuffer]byte) }}

// lines cuts a stream of bytes into lines of at most max bytes, without their line end. Max is more
// than keptHead. It does no I/O: what was read into the space is added with wrote, and next is
// called until it has no more. The method close gives the buffer back.
type lines struct {
	max     int
	reserve func(size int) bool // asks for memory beyond the usual buffer; nil allows it
	release func(size int)      // gives it back; nil if reserve is nil

	buf     []byte
	start   int // of the first line that next has not returned
	scanned int // up to here is no line end
	end     int // of what was read
	unused  int // lines in a row that a usual buffer would have held

	skipping bool // a line that is too long
	long     longLine
}

// A longLine is what is kept of a line that was too long.
type longLine struct{ head, tail []byte }

// space returns where to read to, at least one byte.
func (s *lines) space() []byte {
	if s.buf == nil {
		s.buf = lineBuffers.Get().(*[lineBuffer]byte)[:]
	}
	if s.start == s.end {
		s.start, s.scanned, s.end = 0, 0, 0
	}
	if s.end < len(s.buf) {
		return s.buf[s.end:]
	}
	if s.start > 0 {
		s.move(s.buf)
		return s.buf[s.end:]
	}
	if size := min(2*len(s.buf), max(s.max+2, lineBuffer)); size > len(s.buf) && s.grow(size) {
		return s.buf[s.end:]
	}
	s.skip()
	return s.buf
}

// move moves the beginning of a line to the beginning of buf, which becomes the buffer.
func (s *lines) move(buf []byte) {
	copy(buf, s.buf[s.start:s.end])
	s.scanned -= s.start
	s.end -= s.start
	s.start = 0
	s.buf = buf
}

// grow replaces the buffer by one of size bytes, and reports false if there is no memory for it.
func (s *lines) grow(size int) bool {
	if s.reserve != nil && !s.reserve(size) {
		return false
	}
	old := s.buf
	s.move(make([]byte, size))
	s.giveBack(old)
	s.unused = 0
	return true
}

// large reports whether the buffer is larger than usual.
func (s *lines) large() bool { return len(s.buf) > lineBuffer }

// shrink replaces a large buffer by one of the usual size, if what it holds fits.
func (s *lines) shrink() {
	if !s.large() || s.end-s.start > lineBuffer/2 {
		return
	}
	old := s.buf
	s.move(lineBuffers.Get().(*[lineBuffer]byte)[:])
	s.giveBack(old)
}

// close gives the buffer back. What it holds is lost.
func (s *lines) close() {
	s.giveBack(s.buf)
	*s = lines{max: s.max, reserve: s.reserve, release: s.release}
}

func (s *lines) giveBack(buf []byte) {
	switch {
	case len(buf) == lineBuffer:
		lineBuffers.Put((*[lineBuffer]byte)(buf))
	case buf != nil && s.release != nil:
		s.release(len(buf))
	}
}

// skip begins to discard the line that is too long.
func (s *lines) skip() {
	line := s.buf[s.start:s.end]
	s.skipping = true
	s.long.head = append([]byte(nil), line[:min(len(line), keptHead)]...)
	s.long.tail = append([]byte(nil), line[max(len(line)-keptTail-1, 0):]...)
	s.start, s.scanned, s.end = 0, 0, 0
	s.shrink()
}

// keepTail adds b, a part of the line that is discarded, to what is kept of its end.
func (s *lines) keepTail(b []byte) {
	if missing := keptHead - len(s.long.head); missing > 0 {
		s.long.head = append(s.long.head, b[:min(missing, len(b))]...)
	}
	const most = keptTail + 1 // one more for a CR
	if len(b) >= most {
		s.long.tail = append(s.long.tail[:0], b[len(b)-most:]...)
		return
	}
	over := max(len(s.long.tail)+len(b)-most, 0)
	s.long.tail = append(s.long.tail[:copy(s.long.tail, s.long.tail[over:])], b...)
}

// wrote adds the first n bytes of the space.
func (s *lines) wrote(n int) { s.end += n }

// next returns the next line without its line end, LF or CRLF. It is valid until space is called.
// Long is not nil if the line was too long. There is no line if ok is false.
func (s *lines) next() (line []byte, long *longLine, ok bool) {
	i := bytes.IndexByte(s.buf[s.scanned:s.end], '\n')
	if i < 0 {
		s.scanned = s.end
		if s.skipping {
			s.keepTail(s.buf[s.start:s.end])
			s.start = s.end
		} else if s.end-s.start > s.max+1 { // not even a CR at its end would save it
			s.skip()
		}
		return nil, nil, false
	}
	end := s.scanned + i
	line = s.buf[s.start:end]
	s.start, s.scanned = end+1, end+1
	if s.skipping {
		s.keepTail(line)
		s.skipping = false
		found := s.long
		found.tail = bytes.TrimSuffix(found.tail, []byte{'\r'})
		found.tail = found.tail[max(len(found.tail)-keptTail, 0):]
		s.long = longLine{}
		return nil, &found, true
	}
	s.count(len(line))
	line = bytes.TrimSuffix(line, []byte{'\r'})
	if len(line) > s.max {
		return nil, &longLine{line[:min(len(line), keptHead)], line[max(len(line)-keptTail, 0):]}, true
	}
	return line, nil, true
}

// count lets a large buffer go that is not needed any more.
func (s *lines) count(length int) {
	if !s.large() {
		return
	}
	s.unused++
	if length >= lineBuffer {
		s.unused = 0
	}
}

// idle is called when all lines are taken and before space is called: a large buffer that many
// lines did not need is let go.
func (s *lines) idle() {
	if s.unused >= shrinkAfter {
		s.shrink()
	}
}
