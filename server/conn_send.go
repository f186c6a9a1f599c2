package server

import (
	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

// flush writes what the turn has produced for c, in one system call. If c is lingering, it then
// proceeds to close the connection.
func (c *conn) flush() {
	l := c.loop
	if len(l.out) > 0 {
		out, page, at := l.out, l.page, l.pageAt
		// write may close the conn, and what runs then must not find half a message here.
		l.out, l.page = nil, nil
		if page != nil {
			c.write(out[:at], page, out[at:])
		} else {
			c.write(out)
		}
		l.keepScratch(out)
	}
	if c.state == connStateLinger {
		c.windDown()
	}
}

// flushNotice is flush for notifications of a call. They count against MaxUnsent, and a peer that
// reads them too slowly is disconnected.
func (c *conn) flushNotice() {
	limit := max(c.loop.srv.opts.MaxUnsent+frameRoom, len(c.loop.out))
	if c.sk.OutboundBuffered()+len(c.loop.out) > limit {
		c.trySend() // the peer may have read something by now
	}
	if c.state != connStateClosed && c.sk.OutboundBuffered()+len(c.loop.out) > limit {
		c.loop.out = c.loop.out[:0]
		c.abort(closeUnsent)
		return
	}
	c.flush()
}

// trySend offers the waiting bytes to the kernel. gnet already waits for the socket to become
// writable, so none of its bookkeeping is left undone.
func (c *conn) trySend() {
	if c.state != connStateClosed && c.sk.OutboundBuffered() > 0 {
		_ = c.sk.Flush()
	}
}

// serveFull handles a call whose notifications are refused because of MaxUnsent. If the peer reads,
// there is room again. If it takes nothing for a while longer, it is disconnected.
func (l *loop) serveFull(it *item) {
	j := it.job
	if j.gen != it.gen {
		return
	}
	c := l.lookup(j.h)
	if c == nil || c.x == nil || c.x.job != j {
		j.forgetPeer() // the connection closed while the item was on its way
		return
	}
	l.serving = c
	c.makeRoom(j)
}

// makeRoom allows notifications of a call again when half of MaxUnsent is free. Otherwise it checks
// again at the next tick.
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
	c.shortenStall()
	c.arm(l.now + 1)
}

// vectorWriter is a socket that writes several pieces with one system call. It may change the
// slice, but not the bytes.
//
// The part of a large response that the kernel does not take goes through it too. gnet's Write
// would put all of that into one ring buffer, which keeps its size as long as it holds a byte and
// then returns to a shared pool. Writev fills the ring up to writeBufferSize and puts the rest into
// a buffer of its own.
type vectorWriter interface {
	Writev(pieces [][]byte) (int, error)
}

// write passes the pieces, at most three, to the socket. The conn may be closed when it returns.
func (c *conn) write(pieces ...[]byte) {
	if c.state == connStateClosed {
		return
	}
	n := 0
	for _, b := range pieces {
		n += len(b)
	}
	c.loop.m.bytesOut.Add(uint64(n))
	c.put(pieces, n)
}

// put is write for n bytes that have been counted.
func (c *conn) put(pieces [][]byte, n int) {
	c.hand(pieces, n) // an error closes the conn
	if c.state == connStateClosed {
		return
	}
	if left := c.sk.OutboundBuffered(); left > 0 || c.has(flagStalled) {
		c.stalled(left, n)
		c.checkTotal()
	}
}

// hand passes the pieces to the socket, in one system call if the socket is a vectorWriter and they
// are large.
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

// finish ends the exchange, whose response has been written or is in loop.out.
func (c *conn) finish(now tick) {
	if c.state == connStateClosed {
		return
	}
	c.unmoor()
	if c.has(flagClose) {
		if c.reason != closeRefused && c.reason != closeHeadTimeout &&
			c.reason != closeBodyTimeout && c.reason != closeDrain {
			c.reason = closeDone
		}
		c.setState(now, connStateLinger)
		return
	}
	c.loop.resetRequest(c.x)
	c.setState(now, connStateIdle)
	if c.has(flagBusy) {
		c.rested()
	}
}

// windDown ends a lingering connection in stages: the kernel takes all bytes, then we send our FIN,
// then we wait for that of the peer.
//
//	"a server typically closes a connection in stages" (RFC 9112 section 9.6)
//
// A close with unread input would make the kernel send an RST, which can make the peer lose the
// response.
func (c *conn) windDown() {
	if c.sk.OutboundBuffered() > 0 {
		c.arm(c.loop.now + c.loop.retry)
		return
	}
	if !c.has(flagUnread) || c.has(flagGate) {
		c.close(c.reason)
		return
	}
	if !c.has(flagShut) {
		c.flags |= flagShut
		if err := c.loop.base.CloseWrite(c.sk); err != nil {
			c.close(c.reason)
			return
		}
		c.arm(c.loop.now + wheel.Ticks(lingerTime))
	}
}
