package server

import (
	"errors"
	"io"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"github.com/mooring-mcp/mooring/server/internal/engine"
	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

// conn is one connection. Its methods run on its loop.
//
// An idle connection or an idle stream costs only this struct, a slot and an entry in the wheel.
type conn struct {
	sk     engine.Socket
	*berth           // where c lies; its loop is c's
	x      *exchange // the state of the request in progress; nil if there is none
	streamNode
	id     string // the ID of the subscription, as JSON text that is safe in an event
	slot   uint32 // index in loop.slots
	gen    uint32 // distinguishes the conn from earlier ones in the same slot
	state  connState
	trust  endpoint.Trust
	topics mcp.Topic // the lists that the stream listens to
	dirty  mcp.Topic // the notices that a slow stream has missed
	flags  connFlags
	reason closeReason
	home   uint8 // of a lent connection: the index in homes of the http.Server that gets it back
}

type connState uint8

const (
	connStateIdle   connState = iota // no byte of a request has arrived
	connStateHead                    // part of a head has arrived
	connStateBody                    // the content is arriving
	connStateAuth                    // it is being found out who sends the request
	connStateCall                    // a worker serves a call
	connStateStream                  // an open subscriptions/listen stream
	connStateLinger                  // the last response is on its way; then the socket closes
	connStateClosed                  // closed has run; nothing may be touched any more
)

var connStateNames = [...]string{"idle", "head", "body", "auth", "call", "stream", "linger", "closed"}

func (s connState) String() string { return connStateNames[s] }

type connFlags uint16

const (
	flagHTTP10    connFlags = 1 << iota // the request is HTTP/1.0, so there is no chunked coding
	flagClose                           // the connection ends with this response
	flagUnread                          // the peer may still be sending: linger before closing
	flagShut                            // our FIN has been sent
	flagStalled                         // bytes wait for the peer; loop.stalls holds the clock
	flagStreaming                       // the conn is counted as a stream
	flagSession                         // the stream belongs to a session of an earlier revision
	flagTyped                           // the stream is of HTTP+SSE, whose events have a type
	flagSilent                          // nothing has arrived since the connection was accepted
	flagBeyond                          // the connection was accepted beyond the descriptor limit
	flagChoked                          // the next request waits until the peer has read more
	flagSliced                          // the next request waits for a turn, in loop.sliced
	flagGate                            // the socket is a gate: net/http serves the request
	flagLent                            // the connection is of net/http, which gets it back
	flagBusy                            // the response with which it was lent is not complete
)

// has reports whether any of the flags in f is set.
func (c *conn) has(f connFlags) bool { return c.flags&f != 0 }

func (c *conn) handle() handle { return handle{c.slot, c.gen} }

// canReceive reports whether input belongs to a request.
func (c *conn) canReceive() bool { return c.state <= connStateBody }

// setState moves c to s and arms the deadline that belongs to it.
func (c *conn) setState(now tick, s connState) {
	c.state = s
	d := &c.loop.srv.deadlines
	switch s {
	case connStateIdle:
		c.arm(now + d.idle)
	case connStateHead:
		c.arm(now + c.headTime())
	case connStateBody:
		c.arm(now + d.body)
	case connStateAuth:
		c.arm(now + d.verify)
	case connStateCall:
		c.x.due = now + d.call
		c.arm(c.nextCallDue())
	case connStateStream:
		c.arm(c.loop.firstHeartbeat())
		if g := c.gate(); g != nil {
			g.stay()
		}
	case connStateLinger:
		c.arm(now + wheel.Ticks(lingerTime))
	case connStateClosed:
		c.loop.wheel.Disarm(c.slot)
	}
}

// arm sets the deadline of c's state. If c is stalled, the earlier of this deadline and that of the
// stall clock counts.
func (c *conn) arm(due tick) {
	l := c.loop
	if c.state == connStateStream {
		due = min(due, l.holders.end(c.slot))
	}
	if c.has(flagStalled) {
		st := l.stalls.clocks[c.slot]
		st.own = due
		l.stalls.clocks[c.slot] = st
		due = min(due, st.due)
	}
	l.wheel.Arm(c.slot, due)
}

// open starts the life of c on its loop.
func (c *conn) open(sk engine.Socket, now tick) {
	c.sk = sk
	c.loop.attach(c)
	c.setState(now, connStateIdle)
	c.flags |= flagSilent
	c.arm(now + c.firstTime())
	if c.loop.draining {
		c.flags |= flagClose
	}
	c.meet()
	if c.loop.places != nil {
		c.enterPlace(now)
	}
}

// close closes the connection at once. Afterwards nothing of c but its state may be used.
func (c *conn) close(r closeReason) {
	if c.state == connStateClosed {
		return
	}
	c.reason = r
	c.loop.closeSocket(c.sk)
}

// abort closes the connection with an RST. What the kernel still holds for the peer is dropped.
func (c *conn) abort(r closeReason) {
	if c.state == connStateClosed {
		return
	}
	_ = c.sk.SetLinger(0)
	c.close(r)
}

// closed ends c and frees all that it holds. err is nil when this side closed the connection.
func (c *conn) closed(err error) {
	if c.state == connStateClosed {
		return
	}
	if err != nil && c.state != connStateLinger { // a lingering conn has its reason already
		c.reason = reasonOf(err)
	}
	l := c.loop
	now := l.present() // before clientGone, which sets the deadlines of detached calls
	if err == nil && c.reason == closePeer && l.draining {
		c.reason = closeDrain
	}
	if x := c.x; x != nil {
		if j := x.job; j != nil {
			l.clientGone(j, c)
		}
		c.x = nil
		l.putExchange(x)
	}
	if c.has(flagStreaming) {
		l.endStream(c)
	}
	if c.has(flagLent) {
		l.srv.homes.at(c.home).back.Gone(c.has(flagBusy))
	}
	c.unmoor()
	c.setState(now, connStateClosed)
	c.endStall()
	l.detach(c)
	l.m.closes[c.reason].Add(1)
}

func reasonOf(err error) closeReason {
	var op interface{ Error() string }
	switch {
	case errors.Is(err, io.EOF):
		return closePeer
	case errors.As(err, &op) && isWriteError(op.Error()):
		return closeWriteError
	}
	return closeReset
}

// isWriteError reports whether s, the text of an os.SyscallError, names a write.
func isWriteError(s string) bool {
	return len(s) >= 5 && s[:5] == "write"
}

// nextHeartbeat returns when a stream's next heartbeat is due: one period from now, ±10 %.
func (l *loop) nextHeartbeat() tick {
	hb := l.srv.deadlines.heartbeat
	if j := hb / 10; j > 0 {
		hb = hb - j + tick(l.rng.Uint32N(uint32(2*j+1)))
	}
	return l.now + hb
}

// firstHeartbeat returns when a stream's first heartbeat is due. It spreads the streams that were
// opened together over the whole period.
func (l *loop) firstHeartbeat() tick {
	return l.now + 1 + tick(l.rng.Uint32N(uint32(l.srv.deadlines.heartbeat)))
}

// nextCallDue returns when to look at a call again: at its time limit or at the next heartbeat,
// whichever is earlier.
func (c *conn) nextCallDue() tick {
	if !c.x.verdict.Stream || c.x.job.preparing {
		return c.x.due
	}
	return min(c.x.due, c.loop.nextHeartbeat())
}

// headTime returns how long the head of a request may take to arrive.
func (c *conn) headTime() tick {
	d := &c.loop.srv.deadlines
	if c.has(flagBeyond) {
		return min(d.head, wheel.Ticks(beyondTime))
	}
	return d.head
}

// firstTime returns how long the first byte may take to arrive: as long as a head, but not longer
// than IdleTimeout, which is the limit between two requests.
func (c *conn) firstTime() tick { return min(c.headTime(), c.loop.srv.deadlines.idle) }
