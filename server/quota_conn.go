package server

import (
	"net/netip"

	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"github.com/mooring-mcp/mooring/server/internal/quota"
)

// This file counts connections and streams for their principals and addresses. Its methods run on
// the loop.

// places say whose the connections of a loop are, and what is counted for whom. They are beside the
// conns and not in them, so that a server without such limits does not pay for them.
type places struct {
	who      []uint64 // by slot: the key of the principal of the latest request; 0 for none
	addr     []uint64 // by slot: the key of the address of the peer; empty without PerAddress
	held     []placeFlags
	apart    map[uint32]account // by slot: whom a stream counts for that is not of who and addr
	refusing int                // connections that linger because they were refused
}

// address returns the key of the address of the peer in a slot, or 0 if there is none.
func (p *places) address(slot uint32) uint64 {
	if len(p.addr) == 0 {
		return 0
	}
	return p.addr[slot]
}

// placeFlags say what a connection is counted for.
type placeFlags uint8

const (
	placeWho        placeFlags = 1 << iota // as a connection of its principal
	placeAddr                              // as a connection of its address
	placeStreamWho                         // as a stream of its principal
	placeStreamAddr                        // as a stream of its address
	placeUncounted                         // net/http has the connection, which is counted there
	placeRefusing                          // in places.refusing
)

// maxLingering is how many refused connections of a loop may stay until they have read why. Others
// are closed at once.
const maxLingering = 32

// enterPlace begins to count c, which has been opened, and refuses it if its address has too many
// connections.
func (c *conn) enterPlace(now tick) {
	l := c.loop
	p, q, at := l.places, l.srv.quotas, int(c.slot)
	if n := at + 1 - len(p.held); n > 0 {
		p.who = append(p.who, make([]uint64, n)...)
		p.held = append(p.held, make([]placeFlags, n)...)
		if q.tables[byAddress] != nil {
			p.addr = append(p.addr, make([]uint64, n)...)
		}
	}
	switch {
	case q.tables[byAddress] == nil || c.awaitsProxy():
	case c.has(flagGate):
		p.addr[at] = q.addressKey(c.gate().peer.Addr())
	default:
		c.placeAt(now, c.peer().Addr())
	}
}

// placeAt says which address c is from.
func (c *conn) placeAt(now tick, from netip.Addr) {
	l := c.loop
	q, p := l.srv.quotas, l.places
	key := q.addressKey(from)
	if p.addr[c.slot] = key; key == 0 || l.srv.trustsProxy(from) {
		return
	}
	a := account{byAddress: key}
	e := q.spend(a, quota.ListRate)
	if !e.exceeds() {
		e = c.countAddress(a)
	}
	if e.exceeds() {
		c.refuseConnection(now, e)
	}
}

// countAddress counts c as a connection of its address.
func (c *conn) countAddress(a account) excess {
	e := c.loop.srv.quotas.take(a, quota.Connections)
	if !e.exceeds() {
		c.loop.places.held[c.slot] |= placeAddr
	}
	return e
}

// countGate counts a request of net/http as a connection, unless its connection is one of ours.
func (c *conn) countGate(g *gate) excess {
	l := c.loop
	key := l.places.address(c.slot)
	switch {
	case key == 0 || l.srv.trustsProxy(g.peer.Addr()):
		return excess{}
	case l.srv.isOther(g.r) || l.srv.isTLS(g.r):
		l.places.held[c.slot] |= placeUncounted
		return excess{}
	}
	return c.countAddress(account{byAddress: key})
}

// arrivePlace counts c, which has come from net/http, where its connection was counted until now.
func (c *conn) arrivePlace() {
	p := c.loop.places
	if p.held[c.slot]&placeUncounted == 0 {
		return
	}
	p.held[c.slot] &^= placeUncounted
	if a := c.loop.srv.quotas.force(account{byAddress: p.addr[c.slot]}, quota.Connections); a[byAddress] != 0 {
		p.held[c.slot] |= placeAddr
	}
}

// passPlace returns closed, which is called when net/http closes the connection of c. From now on
// it also ends the count of the connection for its address.
func (c *conn) passPlace(closed func()) func() {
	p, q := c.loop.places, c.loop.srv.quotas
	if p == nil || p.held[c.slot]&placeAddr == 0 {
		return closed
	}
	p.held[c.slot] &^= placeAddr
	a := account{byAddress: p.addr[c.slot]}
	return func() {
		closed()
		q.release(a, quota.Connections)
	}
}

// leavePlace ends all that is counted for c, whose slot is about to be free.
func (l *loop) leavePlace(c *conn) {
	p, at := l.places, c.slot
	c.leaveStreamPlace() // nothing is left, unless the server has panicked
	var a account
	if p.held[at]&placeWho != 0 {
		a[byPrincipal] = p.who[at]
	}
	if p.held[at]&placeAddr != 0 {
		a[byAddress] = p.addr[at]
	}
	if p.held[at]&placeRefusing != 0 {
		p.refusing--
	}
	if p.who[at], p.held[at] = 0, 0; len(p.addr) > 0 {
		p.addr[at] = 0
	}
	l.srv.quotas.release(a, quota.Connections)
}

// refuseConnection answers c, of which nothing has been read, with 429 and ends it. A client that
// has sent something already may lose the answer, unless c lingers.
func (c *conn) refuseConnection(now tick, e excess) {
	l := c.loop
	h := endpoint.ResponseHead{Status: 429, Date: l.srv.date(), Close: true, RetryAfter: e.retry}
	l.out = endpoint.AppendRefusal(l.out, &h, e.error().Message)
	c.flags |= flagClose
	c.reason = closeQuota
	if p := l.places; p.refusing < maxLingering {
		p.refusing++
		p.held[c.slot] |= placeRefusing
		c.flags |= flagUnread
	}
	c.setState(now, connStateLinger)
	c.flush()
}

// belong counts c as a connection of who, whose request it has brought, and no longer as one of
// somebody else.
func (c *conn) belong(who *identity) excess {
	l := c.loop
	q, p := l.srv.quotas, l.places
	key, held := q.keyOf(who), p.held[c.slot]&placeWho != 0
	if held && key == p.who[c.slot] {
		return excess{}
	}
	if e := q.take(account{byPrincipal: key}, quota.Connections); e.exceeds() {
		return e
	}
	if held {
		q.release(account{byPrincipal: p.who[c.slot]}, quota.Connections)
	}
	if p.who[c.slot] = key; key != 0 {
		p.held[c.slot] |= placeWho
	} else {
		p.held[c.slot] &^= placeWho
	}
	return excess{}
}

// takeStream counts the stream of c, which is about to begin, for a.
func (c *conn) takeStream(a account) excess {
	if c.loop.places == nil {
		return excess{}
	}
	e := c.loop.srv.quotas.take(a, quota.Streams)
	if !e.exceeds() {
		c.noteStream(a)
	}
	return e
}

// forceStream counts the stream of c, which takes the place of another one of a's.
func (c *conn) forceStream(a account) { c.noteStream(c.loop.srv.quotas.force(a, quota.Streams)) }

// noteStream notes whom the stream of c is counted for.
func (c *conn) noteStream(a account) {
	p, at := c.loop.places, c.slot
	for i, f := range [numParties]placeFlags{byPrincipal: placeStreamWho, byAddress: placeStreamAddr} {
		if a[i] != 0 {
			p.held[at] |= f
		}
	}
	if p.held[at]&placeWho == 0 {
		p.who[at] = a[byPrincipal]
	}
	if a[byPrincipal] != 0 && a[byPrincipal] != p.who[at] || a[byAddress] != 0 && a[byAddress] != p.address(at) {
		if p.apart == nil {
			p.apart = make(map[uint32]account)
		}
		p.apart[at] = a
	}
}

// leaveStreamPlace takes back what takeStream or forceStream has counted, if anything.
func (c *conn) leaveStreamPlace() {
	p, at := c.loop.places, c.slot
	if p == nil || p.held[at]&(placeStreamWho|placeStreamAddr) == 0 {
		return
	}
	a, apart := p.apart[at]
	if apart {
		if delete(p.apart, at); len(p.apart) == 0 {
			p.apart = nil
		}
	} else {
		a = account{p.who[at], p.address(at)}
		if p.held[at]&placeStreamWho == 0 {
			a[byPrincipal] = 0
		}
		if p.held[at]&placeStreamAddr == 0 {
			a[byAddress] = 0
		}
	}
	p.held[at] &^= placeStreamWho | placeStreamAddr
	c.loop.srv.quotas.release(a, quota.Streams)
}
