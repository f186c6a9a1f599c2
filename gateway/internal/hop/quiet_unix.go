//go:build unix

package hop

import (
	"net"
	"syscall"
)

// A peeker looks at what an idle connection has received, without reading it.
type peeker struct {
	raw   syscall.RawConn
	look  func(fd uintptr) bool
	fault error
	b     [1]byte
}

func newPeeker(c net.Conn) *peeker {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	p := &peeker{raw: raw}
	p.look = func(fd uintptr) bool {
		_, _, p.fault = syscall.Recvfrom(int(fd), p.b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return true
	}
	return p
}

// quiet reports whether nothing waits: no FIN, and no bytes that belong to no request.
func (p *peeker) quiet() bool {
	return p.raw.Read(p.look) == nil && (p.fault == syscall.EAGAIN || p.fault == syscall.EWOULDBLOCK)
}
