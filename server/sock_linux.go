package server

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// sock is a connected socket of a poller. Its methods run on the loop. After close they do nothing: the descriptor may be another's by then.
type sock struct {
	poller *poller
	conn   *conn
	out    *unsent // nil while nothing waits
	fd     int32
	slot   uint32 // index in poller.socks
	gen    uint32 // tells the sock from others that had the slot
	closed bool
}

// unsent is what the kernel did not take yet.
type unsent struct {
	buf  *buffer
	sent int // bytes of it that are with the kernel
}

func (u *unsent) rest() []byte { return u.buf.B[u.sent:] }

// opened begins the life of the connection.
func (s *sock) opened() {
	defer s.poller.srv.recoverConn(s.conn)
	s.conn.open(s, s.conn.loop.present())
}

// ready serves events of the socket: what waits goes out before more is read, so that a peer that sends and does not read gets no further.
func (s *sock) ready(events uint32) {
	if events&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) != 0 && s.out != nil {
		if _ = s.Flush(); !s.closed && s.out == nil {
			s.caughtUp()
		}
	}
	if !s.closed && events&^unix.EPOLLOUT != 0 {
		s.read(events)
	}
}

func (s *sock) read(events uint32) {
	p := s.poller
	n, err := sysRead(s.fd, p.buf)
	switch {
	case err == unix.EINTR, err == unix.EAGAIN && events&(unix.EPOLLERR|unix.EPOLLHUP) == 0:
	case err == unix.EAGAIN: // an error that somebody was told already
		s.close(io.EOF)
	case err != nil:
		s.close(os.NewSyscallError("read", err))
	case n == 0:
		s.close(io.EOF)
	default:
		p.in = p.buf[:n]
		s.received()
		if l := s.conn.loop; l.gave {
			l.lend()
		}
	}
}

// caughtUp tells the conn that nothing waits for its peer any more.
func (s *sock) caughtUp() {
	defer s.poller.srv.recoverConn(s.conn)
	s.conn.caughtUp(s.conn.loop.present())
}

// received serves what has been read.
func (s *sock) received() {
	defer s.poller.srv.recoverConn(s.conn)
	s.conn.recv(s.conn.loop.present())
}

// Next implements socket. It returns all that was read, valid until the end of the turn, whatever n is.
func (s *sock) Next(int) ([]byte, error) {
	b := s.poller.in
	s.poller.in = nil
	return b, nil
}

// Write implements socket. It takes all of b: what the kernel does not take is copied. An error closes the socket before it returns.
func (s *sock) Write(b []byte) (int, error) {
	if s.closed {
		return 0, errSockClosed
	}
	if s.out != nil {
		s.out.buf.Add(b)
		return len(b), nil
	}
	n, err := sysWrite(s.fd, b)
	if err == nil && n < len(b) {
		s.out = &unsent{buf: bufferOf(b[n:])}
		err = s.await(unix.EPOLLIN | unix.EPOLLOUT)
	}
	if err != nil {
		s.close(err)
		return 0, err
	}
	return len(b), nil
}

// Writev implements vectorWriter. It takes all, as Write does.
func (s *sock) Writev(pieces [][]byte) (int, error) {
	if s.closed {
		return 0, errSockClosed
	}
	total := 0
	for _, b := range pieces {
		total += len(b)
	}
	n, left := 0, total
	var err error
	if s.out == nil {
		n, err = sysWritev(s.fd, pieces)
		if left = total - n; err == nil && left > 0 {
			s.out = &unsent{buf: takeBuffer(left)}
			err = s.await(unix.EPOLLIN | unix.EPOLLOUT)
		}
	}
	if err != nil {
		s.close(err)
		return 0, err
	}
	for _, b := range pieces {
		k := min(n, len(b))
		if n -= k; k < len(b) {
			s.out.buf.Add(b[k:])
		}
	}
	return total, nil
}

// OutboundBuffered implements socket.
func (s *sock) OutboundBuffered() int {
	if s.out == nil {
		return 0
	}
	return len(s.out.rest())
}

// Flush implements socket. An error closes the socket before it returns.
func (s *sock) Flush() error {
	if s.closed || s.out == nil {
		return nil
	}
	n, err := sysWrite(s.fd, s.out.rest())
	s.out.sent += n
	switch {
	case err != nil:
	case len(s.out.rest()) == 0:
		s.forget()
		err = s.await(unix.EPOLLIN)
	case s.out.sent > len(s.out.buf.B)/2: // more may be added to it
		s.out.buf.B = s.out.buf.B[:copy(s.out.buf.B, s.out.rest())]
		s.out.sent = 0
	}
	if err != nil {
		s.close(err)
	}
	return err
}

// forget lets go of the bytes that wait.
func (s *sock) forget() {
	if s.out != nil {
		release(s.out.buf)
		s.out = nil
	}
}

// await sets the events that the loop is told of.
func (s *sock) await(events uint32) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(s.slot), Pad: int32(s.gen)}
	return os.NewSyscallError("write: epoll_ctl", unix.EpollCtl(s.poller.fd, unix.EPOLL_CTL_MOD, int(s.fd), &ev))
}

// Fd returns the descriptor, which is the socket's until close.
func (s *sock) Fd() int { return int(s.fd) }

// SetLinger implements socket.
func (s *sock) SetLinger(secs int) error {
	if s.closed {
		return errSockClosed
	}
	s.forget() // the kernel is to drop what it has: no more is given to it
	return unix.SetsockoptLinger(int(s.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: int32(secs)})
}

// close ends the connection, and what it was has ended when it returns. What waits is offered to the kernel once more; err says why the peer is gone, nil that this side closes. The descriptor counts as a connection
// as long as it is there. If the peer is gone it is closed at the end of the turn, or of one of the next when very many are; else at once, for the peer is to hear of it.
func (s *sock) close(err error) {
	if s.closed {
		return
	}
	p := s.poller
	s.closed = true // first: what ends the connection may try to close it
	s.hungUp(err)
	if s.out != nil {
		_, _ = sysWrite(s.fd, s.out.rest())
		s.forget()
	}
	p.socks[s.slot] = nil
	p.freed = append(p.freed, s.slot)
	sysForget(p.fd, s.fd) // close alone does it only where the descriptor has no duplicate, and a host may keep one
	if err != nil {
		p.leaving = append(p.leaving, s.fd)
		return
	}
	sysClose(s.fd)
	p.srv.released()
}

// hungUp ends what the connection was.
func (s *sock) hungUp(err error) {
	defer s.poller.srv.recoverConn(s.conn)
	s.conn.closed(err)
}
