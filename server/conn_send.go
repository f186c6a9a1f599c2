package server

import "github.com/mooring-mcp/mooring/server/internal/wheel"

// flush writes what the turn made for c, in one system call, and goes on with the end of the connection if that was the last.
func (c *conn) flush() {
	l := c.loop
	if len(l.out) > 0 {
		out, page, at := l.out, l.page, l.pageAt
		l.out, l.page = nil, nil // a close inside write may answer nothing, but must not find half a message
		if page != nil {
			c.write(out[:at], page, out[at:])
		} else {
			c.write(out)
		}
		l.keepScratch(out)
	}
	if c.state == connStateLinger {
		c.wind()
	}
}

// flushNotice is flush for notifications of a call. They count against MaxUnsent: a peer that reads too slowly for them is disconnected.
func (c *conn) flushNotice() {
	limit := max(c.loop.srv.opts.MaxUnsent+frameRoom, len(c.loop.out))
	if c.sk.OutboundBuffered()+len(c.loop.out) > limit {
		c.trySend() // the peer may have read meanwhile
	}
	if c.state != connStateClosed && c.sk.OutboundBuffered()+len(c.loop.out) > limit {
		c.loop.out = c.loop.out[:0]
		c.abort(closeUnsent)
		return
	}
	c.flush()
}

// trySend hands the kernel what it takes of the bytes that wait. They wait for the socket to be writable already, so that nothing of gnet's is left undone.
func (c *conn) trySend() {
	if c.state != connStateClosed && c.sk.OutboundBuffered() > 0 {
		_ = c.sk.Flush()
	}
}

// serveFull looks after a call whose notifications are refused for MaxUnsent. A peer that reads makes room; one that takes nothing for a while more is disconnected.
func (l *loop) serveFull(it *item) {
	j := it.job
	if j.gen != it.gen {
		return
	}
	c := l.lookup(j.h)
	if c == nil || c.x == nil || c.x.job != j {
		j.forgetPeer() // the connection went while the item was on its way
		return
	}
	l.serving = c
	c.makeRoom(j)
}

// makeRoom lets notifications of a call through again when half of the room is free, and looks again at the next tick when it is not.
func (c *conn) makeRoom(j *job) {
	c.trySend()
	if c.state == connStateClosed {
		return
	}
	l := c.loop
	left := c.sk.OutboundBuffered()
	j.unsent.Store(int64(left))
	if left <= l.srv.opts.MaxUnsent/2 {
		j.full.Store(false)
		return
	}
	c.hurry()
	c.arm(l.now + 1)
}

// vectorWriter is a socket that writes several pieces with one system call. It may change the slice, but not the bytes.
//
// What the kernel does not take of a large response goes through it too: gnet's Write would put all of that into one ring, which keeps its size as long as there is a byte in it and is then anybody's;
// Writev fills the ring up to writeBufferSize, and has a buffer of its own for the rest.
type vectorWriter interface {
	Writev(pieces [][]byte) (int, error)
}


// write hands the pieces, three at most, to the socket. The conn may be closed when it returns.
func (c *conn) write(pieces ...[]byte) {
	if c.state == connStateClosed {
		return
	}
	n := 0
	for _, b := range pieces {
		n += len(b)
	}
	l := c.loop
	l.m.bytesOut.Add(uint64(n))
	c.hand(pieces, n) // an error closes the conn
	if c.state == connStateClosed {
		return
	}
	if left := c.sk.OutboundBuffered(); left > 0 || c.has(flagStalled) {
		c.stalled(left, n)
		c.checkTotal()
	}
}

// hand gives the pieces to the socket, if it can in one system call.
func (c *conn) hand(pieces [][]byte, n int) {
	l := c.loop
	if v, ok := c.sk.(vectorWriter); ok && n > writeBufferSize {
		used := 0
		for _, b := range pieces {
			if len(b) > 0 {
				l.pieces[used] = b
				used++
			}
		}
		_, _ = v.Writev(l.pieces[:used])
		clear(l.pieces[:])
		return
	}
	for _, b := range pieces {
		if len(b) > 0 && c.state != connStateClosed {
			_, _ = c.sk.Write(b)
		}
	}
}

// finish ends the exchange: the response is written or in loop.out.
func (c *conn) finish(now tick) {
	if c.state == connStateClosed {
		return
	}
	if c.has(flagClose) {
		if c.reason != closeRefused && c.reason != closeHeadTimeout && c.reason != closeBodyTimeout && c.reason != closeDrain {
			c.reason = closeDone
		}
		c.setState(now, connStateLinger)
		return
	}
	c.loop.resetRequest(c.x)
	c.setState(now, connStateIdle)
}

// wind brings a lingering connection to its end: all bytes to the kernel, our FIN, the peer's.
//
//	"a server typically closes a connection in stages" (RFC 9112 section 9.6): a close with unread input would make the kernel send an RST over the response.
func (c *conn) wind() {
	if c.sk.OutboundBuffered() > 0 {
		c.arm(c.loop.now + c.loop.retry)
		return
	}
	if !c.has(flagUnread) {
		c.close(c.reason)
		return
	}
	if !c.has(flagShut) {
		c.flags |= flagShut
		if err := c.loop.reactor.closeWrite(c.sk); err != nil {
			c.close(c.reason)
			return
		}
		c.arm(c.loop.now + wheel.Ticks(lingerTime))
	}
}
