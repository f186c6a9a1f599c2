package load

import (
	"bytes"

	"github.com/mooring-mcp/mooring/sse"
)

// consumeContent handles content and returns how many bytes of b belonged to it.
func (c *Conn) consumeContent(b []byte) (int, error) {
	l := c.loop
	switch c.phase {
	case inLength:
		n := int(min(uint64(len(b)), c.left))
		c.left -= uint64(n)
		return n, c.take(b[:n], c.left == 0)
	case untilEnd:
		return len(b), c.take(b, false)
	}
	out, i := l.body[:0], 0
	ended := false
	for i < len(b) && !ended {
		x := b[i]
		switch c.phase {
		case inSize:
			d, ok := hexDigit(x)
			switch {
			case ok && c.left < 1<<56:
				c.left = c.left<<4 | d
				i++
			case x == ';' || x == ' ' || x == '\t' || x == '\r' || x == '\n':
				c.phase = inExt
			default:
				return 0, errChunk
			}
		case inExt:
			i++
			if x == '\n' {
				c.phase = inChunk
				if c.left == 0 {
					c.phase = inTrailer
				}
			}
		case inChunk:
			n := int(min(uint64(len(b)-i), c.left))
			out = append(out, b[i:i+n]...)
			i += n
			if c.left -= uint64(n); c.left == 0 {
				c.phase = afterCR
			}
		case afterCR, afterLF:
			i++
			switch {
			case x == '\r' && c.phase == afterCR:
				c.phase = afterLF
			case x == '\n':
				c.phase = inSize
			default:
				return 0, errChunk
			}
		case inTrailer:
			i++
			switch x {
			case '\r':
			case '\n':
				ended = true
			default:
				c.phase = inTrailerLine
			}
		case inTrailerLine:
			i++
			if x == '\n' {
				c.phase = inTrailer
			}
		}
	}
	if l.body = out; cap(out) > readSize {
		l.body = nil
	}
	return i, c.take(out, ended)
}

func hexDigit(x byte) (uint64, bool) {
	switch {
	case '0' <= x && x <= '9':
		return uint64(x - '0'), true
	case 'a' <= x|0x20 && x|0x20 <= 'f':
		return uint64(x|0x20-'a') + 10, true
	}
	return 0, false
}

// take handles a piece of content without its chunk framing.
func (c *Conn) take(b []byte, last bool) error {
	if c.flags&streaming == 0 {
		if len(c.part.b)-c.part.head+len(b) > c.loop.client.opts.MaxBody {
			return errLarge
		}
		if last {
			c.complete(b)
		} else {
			c.part.b = append(c.part.b, b...)
		}
		return nil
	}
	gen := c.gen
	if len(b) > 0 {
		if err := c.events(b); err != nil {
			return err
		}
	}
	if last && c.gen == gen && c.fd >= 0 {
		c.complete(nil)
	}
	return nil
}

// events hands on the events that b, the next piece of a stream, completes.
func (c *Conn) events(b []byte) error {
	l, gen := c.loop, c.gen
	p := c.part
	if p != nil {
		p.b = append(p.b, b...)
		b = p.b
	}
	end := lastBlank(b)
	if end == 0 {
		if len(b) > l.client.opts.MaxBody {
			return errLarge
		}
		if p == nil {
			c.part = l.getPart()
			c.part.b = append(c.part.b, b...)
		}
		return nil
	}
	whole, rest := b[:end], b[end:]
	c.part = nil
	if len(rest) > 0 {
		c.part = l.getPart()
		c.part.b = append(c.part.b, rest...)
	}
	ev := Event{Comments: comments(whole), At: l.stamp()}
	l.dec.Reset()
	for e, err := range l.dec.Decode(whole) {
		if err != nil {
			return err
		}
		ev.Data, ev.Type, ev.ID = e.Data, e.Type, ""
		if e.HasID {
			ev.ID = e.ID
		}
		c.driver.Event(c, &ev)
		if ev.Comments = 0; c.gen != gen || c.fd < 0 {
			l.dec = newDecoder()
			l.putPart(p)
			return nil
		}
	}
	if ev.Comments > 0 {
		ev.Data, ev.Type, ev.ID = nil, "", ""
		c.driver.Event(c, &ev)
	}
	l.putPart(p)
	return nil
}

// lastBlank returns the end of the last complete block in b, after an empty line, or 0 if there is
// none.
func lastBlank(b []byte) int {
	for i := len(b) - 1; i > 0; i-- {
		x := b[i]
		if x != '\n' && x != '\r' {
			continue
		}
		// LF LF, CR CR and LF CR are two line ends. CR LF is one, and there are two if another one
		// precedes it.
		if y := b[i-1]; y == '\n' && x == '\n' || y == '\r' && x == '\r' || y == '\n' && x == '\r' && i+1 < len(b) && b[i+1] != '\n' {
			return i + 1
		} else if y == '\r' && x == '\n' && i >= 2 && (b[i-2] == '\n' || b[i-2] == '\r') {
			return i + 1
		}
	}
	return 0
}

// comments counts the lines of b that begin with a colon.
func comments(b []byte) int {
	n := bytes.Count(b, []byte("\n:")) + bytes.Count(b, []byte("\r:"))
	if len(b) > 0 && b[0] == ':' {
		n++
	}
	return n
}

// newDecoder returns a decoder of whole blocks, which are limited before they get to it.
func newDecoder() sse.Decoder { return sse.Decoder{MaxEventSize: -1} }
