package load

import (
	"bytes"
	"strconv"
)

// phase is the position of a connection within an answer.
type phase uint8

const (
	inHead   phase = iota // or between two answers
	inLength              // content with a length
	untilEnd              // content that ends with the connection
	inSize                // chunked content: the size of a chunk
	inExt                 // what may follow the size
	inChunk
	afterCR // of the CRLF after a chunk
	afterLF
	inTrailer     // at the beginning of a line
	inTrailerLine // within one
)

// A Response is an answer, or the head of one that is a stream.
type Response struct {
	Status int
	Stream bool   // its content is text/event-stream; Body is nil and the events follow
	Last   bool   // the server will close the connection after it
	Head   []byte // the whole head, with the empty line
	Body   []byte
	Sent   int64 // when the request was sent; see Now
	At     int64 // when the last byte was read; for a stream, when the head was
}

// Field returns the value of the first field of that name, which must be in lower case, or nil.
func (r *Response) Field(name string) []byte { return fieldOf(r.Head, name) }

// An Event is an event of a stream, or its comments.
type Event struct {
	Data     []byte // nil: there were only comments
	ID       string // set by the event itself, or empty
	Type     string
	Comments int // comment lines among the bytes that were read with it
	At       int64
}

// part holds the beginning of an incomplete answer.
type part struct {
	b    []byte
	head int // length of the head in b
}

const keptPart = 64 << 10

func (l *Loop) getPart() *part {
	if n := len(l.parts); n > 0 {
		p := l.parts[n-1]
		l.parts = l.parts[:n-1]
		return p
	}
	return &part{}
}

func (l *Loop) putPart(p *part) {
	if p == nil || cap(p.b) > keptPart || len(l.parts) >= 64 {
		return
	}
	p.b, p.head = p.b[:0], 0
	l.parts = append(l.parts, p)
}

// consume handles the bytes that were read.
func (c *Conn) consume(b []byte) error {
	gen := c.gen
	for len(b) > 0 {
		var n int
		var err error
		if c.phase == inHead {
			n, err = c.consumeHead(b)
		} else {
			n, err = c.consumeContent(b)
		}
		if c.gen != gen || c.fd < 0 {
			return nil
		}
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

var endOfHead = []byte("\r\n\r\n")

// consumeHead returns how many bytes of b belong to the head and, if the whole content is there
// too, to the content.
func (c *Conn) consumeHead(b []byte) (int, error) {
	l := c.loop
	all, before := b, 0
	if c.part != nil {
		before = len(c.part.b)
		c.part.b = append(c.part.b, b...)
		all = c.part.b
	}
	end := bytes.Index(all, endOfHead)
	if end < 0 {
		if len(all) > maxHead {
			return 0, errHead
		}
		if c.part == nil {
			c.part = l.getPart()
			c.part.b = append(c.part.b, b...)
		}
		return len(b), nil
	}
	end += len(endOfHead)
	used := end - before
	head := all[:end]
	if err := c.parseHead(head); err != nil {
		return 0, err
	}
	if c.status < 200 { // an interim response
		l.putPart(c.part)
		c.part, c.phase = nil, inHead
		return used, nil
	}
	if c.flags&streaming != 0 {
		l.fill(c, head, nil)
		l.resp.Stream = true
		gen := c.gen
		c.driver.Response(c, &l.resp)
		if c.gen != gen || c.fd < 0 {
			return used, nil
		}
		l.putPart(c.part)
		c.part = nil
		if c.phase == inLength && c.left == 0 {
			c.complete(nil)
		}
		return used, nil
	}
	if c.phase == inLength && uint64(len(b)-used) >= c.left {
		n := int(c.left)
		c.deliver(head, b[used:used+n])
		return used + n, nil
	}
	if c.part == nil {
		c.part = l.getPart()
		c.part.b = append(c.part.b, head...)
	}
	c.part.b, c.part.head = c.part.b[:end], end
	return used, nil
}

func (l *Loop) fill(c *Conn, head, body []byte) {
	l.resp = Response{Status: int(c.status), Last: c.flags&closes != 0, Head: head, Body: body, Sent: c.began, At: l.stamp()}
}

// stamp reads the clock: several answers may come with one wake-up, but handling each takes time.
func (l *Loop) stamp() int64 {
	l.now = Now()
	return l.now
}

// deliver hands a whole answer to the driver.
func (c *Conn) deliver(head, body []byte) {
	l, p := c.loop, c.part
	c.part, c.phase = nil, inHead
	l.fill(c, head, body)
	c.driver.Response(c, &l.resp)
	l.putPart(p)
}

// complete ends the current answer with the last of its content.
func (c *Conn) complete(last []byte) {
	if c.flags&streaming != 0 {
		c.flags &^= streaming
		c.phase = inHead
		p := c.part
		c.part = nil
		c.driver.StreamEnded(c)
		c.loop.putPart(p)
		return
	}
	p := c.part
	p.b = append(p.b, last...)
	c.deliver(p.b[:p.head], p.b[p.head:])
}

// parseHead reads the fields of a head that matter.
func (c *Conn) parseHead(head []byte) error {
	if len(head) < 16 || !bytes.HasPrefix(head, []byte("HTTP/1.")) || head[8] != ' ' {
		return errHead
	}
	status, err := strconv.ParseUint(string(head[9:12]), 10, 16)
	if err != nil || status < 100 {
		return errHead
	}
	c.status = uint16(status)
	c.flags &^= streaming | closes | chunked
	if connection := fieldOf(head, "connection"); hasToken(connection, "close") || head[7] == '0' {
		c.flags |= closes
	}
	if bytes.HasPrefix(fieldOf(head, "content-type"), []byte("text/event-stream")) {
		c.flags |= streaming
	}
	switch te := fieldOf(head, "transfer-encoding"); {
	case c.status < 200 || c.status == 204 || c.status == 304:
		c.phase, c.left = inLength, 0
	case te != nil:
		if !hasToken(te, "chunked") {
			return errHead
		}
		c.flags |= chunked
		c.phase, c.left = inSize, 0
	default:
		length := fieldOf(head, "content-length")
		if length == nil {
			c.phase = untilEnd
			break
		}
		n, err := strconv.ParseUint(string(length), 10, 63)
		if err != nil {
			return errHead
		}
		if c.flags&streaming == 0 && n > uint64(c.loop.client.opts.MaxBody) {
			return errLarge
		}
		c.phase, c.left = inLength, n
	}
	return nil
}

// fieldOf returns the value of the first field of that name, which must be in lower case, or nil.
func fieldOf(head []byte, name string) []byte {
	for {
		_, rest, ok := bytes.Cut(head, []byte("\r\n"))
		if !ok || len(rest) < len(name)+1 {
			return nil
		}
		head = rest
		if rest[len(name)] == ':' && lowerEqual(rest[:len(name)], name) {
			v, _, _ := bytes.Cut(rest[len(name)+1:], []byte("\r\n"))
			if v = bytes.Trim(v, " \t"); v == nil {
				v = []byte{}
			}
			return v
		}
	}
}

func lowerEqual(b []byte, lower string) bool {
	for i := range b {
		x := b[i]
		if 'A' <= x && x <= 'Z' {
			x |= 0x20
		}
		if x != lower[i] {
			return false
		}
	}
	return true
}

// hasToken reports whether a list contains token, which must be in lower case.
func hasToken(list []byte, token string) bool {
	for len(list) > 0 {
		var t []byte
		t, list, _ = bytes.Cut(list, []byte(","))
		if t = bytes.Trim(t, " \t"); len(t) == len(token) && lowerEqual(t, token) {
			return true
		}
	}
	return false
}
