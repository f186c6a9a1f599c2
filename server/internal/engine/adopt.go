package engine

import (
	"fmt"
	"net"
	"syscall"
)

// BareConn returns the *net.TCPConn or *net.UnixConn that nc is or wraps. A wrapper shows what it
// wraps by a method NetConn() net.Conn, and must not change the bytes: BareConn refuses one that
// has a handshake, such as a *tls.Conn.
func BareConn(nc net.Conn) (net.Conn, error) {
	c := nc
	for range maxWrappers {
		switch c := c.(type) {
		case *net.TCPConn, *net.UnixConn:
			return c, nil
		case interface{ Handshake() error }:
			return nil, fmt.Errorf("engine: the bytes of a %T are not those of its socket", c)
		}
		w, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		c = w.NetConn()
	}
	return nil, fmt.Errorf("engine: a %T shows no socket", c)
}

// maxWrappers ends the search in a wrapper that wraps itself.
const maxWrappers = 16

// DuplicateConn returns a connection of net's own on a duplicate of fd, which has the same socket.
// It fails if the peer has sent an RST.
func DuplicateConn(fd int) (net.Conn, error) {
	own, err := Duplicate(fd)
	if err != nil {
		return nil, err
	}
	nc, err := ConnOf(own)
	if err == nil && nc.RemoteAddr() == nil {
		_ = nc.Close()
		return nil, syscall.ENOTCONN
	}
	return nc, err
}
