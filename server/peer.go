package server

import (
	"errors"
	"net"
	"net/netip"
	"syscall"

	"github.com/mooring-mcp/mooring/server/internal/proxyproto"
)

// This file knows the client at the other end of a connection of the server's own listeners, behind
// a proxy that begins it with a PROXY header. With options that need it, each loop has a table of
// its peers by slot: a conn has no room for an address, which most servers never ask for.

// A peer is what a loop remembers of the other end of a connection.
type peer struct {
	addr   netip.AddrPort // of the client; zero if it is not known
	awaits bool           // the PROXY header has not arrived completely
}

// meet adds c to the table of peers, if there is one.
func (c *conn) meet() {
	l := c.loop
	if l.peers == nil {
		return
	}
	if g := c.gate(); g != nil { // net/http knows the client
		l.peers[c.slot] = peer{addr: g.peer}
		return
	}
	addr := l.base.Peer(c.sk)
	l.peers[c.slot] = peer{addr: addr, awaits: proxyproto.Lists(l.srv.opts.ProxyProtocol, addr.Addr())}
}

// peer returns the address of the client of c: what the PROXY header says, or else the network
// peer. It is zero if the client has no IP address, or has disconnected.
func (c *conn) peer() netip.AddrPort {
	l := c.loop
	if l.peers != nil {
		if p, ok := l.peers[c.slot]; ok {
			return p.addr
		}
	}
	return l.base.Peer(c.sk)
}

// awaitsProxy reports whether the PROXY header of c has not arrived completely.
func (c *conn) awaitsProxy() bool {
	l := c.loop
	return l.peers != nil && l.peers[c.slot].awaits
}

// takeProxyHeader takes the PROXY header at the beginning of b, if c has to begin with one, and
// returns what follows. It closes c if the header is malformed, without an answer: the peer does
// not speak the protocol, or the client has written to a port that is not meant for it.
func (c *conn) takeProxyHeader(now tick, b []byte) (rest []byte, waits bool) {
	l := c.loop
	p := l.peers[c.slot]
	if !p.awaits || len(b) == 0 {
		return b, p.awaits
	}
	client, n, err := proxyproto.Parse(b)
	switch {
	case err == proxyproto.ErrIncomplete:
		if c.state == connStateIdle {
			c.setState(now, connStateHead)
		}
		return b, true
	case err != nil:
		l.srv.refused(refusedProxy)
		c.close(closeProxy)
		return b, true
	}
	p.awaits = false
	if client.IsValid() {
		p.addr = client
	}
	l.peers[c.slot] = p
	if l.places != nil && l.srv.quotas.tables[byAddress] != nil {
		if c.placeAt(now, p.addr.Addr()); !c.canReceive() {
			return b[n:], true // it was refused
		}
	}
	if b = b[n:]; len(b) == 0 && c.state == connStateHead {
		// The client has yet to send its first byte.
		c.setState(now, connStateIdle)
		c.arm(now + c.firstTime())
	}
	if len(b) == 0 {
		c.flags |= flagSilent
	}
	return b, false
}

// leavePeer removes c from the table of peers.
func (l *loop) leavePeer(c *conn) {
	if l.peers != nil {
		delete(l.peers, c.slot)
	}
}

// needsPeers reports whether loops have a table of peers.
func (o *Options) needsPeers() bool { return len(o.ProxyProtocol) > 0 || len(o.TrustedProxies) > 0 }

// named returns nc with the address of c's client, if that is not the peer of nc.
func (c *conn) named(nc net.Conn) net.Conn {
	l := c.loop
	if l.peers == nil {
		return nc
	}
	p := l.peers[c.slot]
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); !p.addr.IsValid() || ok && a.AddrPort() == p.addr {
		return nc
	}
	return &namedConn{nc, net.TCPAddrFromAddrPort(p.addr)}
}

// A namedConn is a connection whose client is not its peer.
type namedConn struct {
	net.Conn
	client net.Addr
}

// RemoteAddr implements net.Conn.
func (c *namedConn) RemoteAddr() net.Addr { return c.client }

// NetConn returns the connection itself.
func (c *namedConn) NetConn() net.Conn { return c.Conn }

// CloseWrite sends a FIN and leaves the receiving side open.
func (c *namedConn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}

// SyscallConn implements syscall.Conn.
func (c *namedConn) SyscallConn() (syscall.RawConn, error) {
	if sc, ok := c.Conn.(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}
