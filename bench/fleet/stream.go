package fleet

import (
	"bytes"

	"github.com/mooring-mcp/mooring/bench/load"
)

// A stream's tag records what it has received in the epoch, which is stored above these bits.
const (
	heard   = 1 << iota // anything at all
	watched             // the watched event
	tagBits = iota
)

// adopt takes over a stream whose head has arrived.
func (d *deck) adopt(c *load.Conn) {
	d.st.Opened++
	d.streams[c] = struct{}{}
	c.SetTag(d.epoch << tagBits)
	c.SetDriver((*stream)(d))
}

// leave records the end of a stream.
func (d *deck) leave(c *load.Conn) {
	delete(d.streams, c)
	d.st.LastEnd = load.Now()
	_ = d.ended.RecordValue(max(0, (d.st.LastEnd-d.marked)/1000))
}

// stream is a deck as the driver of its streams.
type stream deck

func (s *stream) Opened(*load.Conn)                   {}
func (s *stream) Response(*load.Conn, *load.Response) {}

var (
	resultMember = []byte(`"result"`)
	methodMember = []byte(`"method"`)
)

func (s *stream) Event(c *load.Conn, e *load.Event) {
	tag := c.Tag()
	if tag>>tagBits != s.epoch {
		tag = s.epoch << tagBits
	}
	if tag&heard == 0 {
		tag |= heard
		s.st.Heard++
	}
	s.st.Comments += int64(e.Comments)
	if e.Data != nil {
		s.st.Events++
		s.st.Bytes += int64(len(e.Data))
		if tag&watched == 0 && s.epoch > 0 && bytes.Contains(e.Data, s.method) {
			tag |= watched
			s.st.Watched++
			_ = s.watched.RecordValue(max(0, (e.At-s.marked)/1000))
		}
		if bytes.Contains(e.Data, resultMember) && !bytes.Contains(e.Data, methodMember) {
			s.st.Results++
		}
	}
	c.SetTag(tag)
}

func (s *stream) StreamEnded(c *load.Conn) {
	s.st.Complete++
	(*deck)(s).leave(c)
	c.Close()
}

func (s *stream) Closed(c *load.Conn, how load.End) {
	switch how {
	case load.ByRST:
		s.st.Reset++
	case load.ByFIN:
		s.st.Closed++
	default:
		s.st.Lost++
	}
	(*deck)(s).leave(c)
}
