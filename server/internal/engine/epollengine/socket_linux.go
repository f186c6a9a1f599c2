package epollengine

import (
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/mooring-mcp/mooring/server/internal/buffers"
	"github.com/mooring-mcp/mooring/server/internal/engine"
)

// socket is a connected socket of a loop. Its methods run on the loop. After close they do
// nothing: the descriptor may belong to another socket by then.
type socket struct {
	loop    *loop
	handler engine.Handler
	out     *unsent // nil while nothing waits
	fd      int32
	slot    uint32 // index in loop.sockets
	gen     uint32 // distinguishes the socket from others that had the slot
	closed  bool
	adopted bool // it came by Engine.Adopt
}

var _ engine.Socket = (*socket)(nil)

// unsent is what the kernel has not taken yet.
type unsent struct {
	buf  *buffers.Buffer
	sent int // bytes of it that are with the kernel
}

func (u *unsent) pending() []byte { return u.buf.B[u.sent:] }

// ready serves events of the socket. What waits goes out before more is read, so that a peer that
// sends and does not read gets no further.
func (s *socket) ready(events uint32) {
	if events&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) != 0 && s.out != nil {
		if _ = s.Flush(); !s.closed && s.out == nil {
			s.handler.CaughtUp()
		}
	}
	if !s.closed && events&^unix.EPOLLOUT != 0 {
		s.read(events)
	}
}

func (s *socket) read(events uint32) {
	l := s.loop
	n, err := sysRead(s.fd, l.buf)
	switch {
	case err == unix.EINTR, err == unix.EAGAIN && events&(unix.EPOLLERR|unix.EPOLLHUP) == 0:
	case err == unix.EAGAIN: // an error that has been reported already
		s.close(io.EOF)
	case err != nil:
		s.close(os.NewSyscallError("read", err))
	case n == 0:
		s.close(io.EOF)
	default:
		l.in = l.buf[:n]
		s.handler.Received()
	}
}

// Next implements engine.Socket. It returns all that was read, valid until the end of the turn,
// whatever n is.
func (s *socket) Next(int) ([]byte, error) {
	b := s.loop.in
	s.loop.in = nil
	return b, nil
}

// Write implements engine.Socket. An error closes the socket before it returns.
func (s *socket) Write(b []byte) (int, error) {
	if s.closed {
		return 0, errSocketClosed
	}
	if s.out != nil {
		s.out.buf.Add(b)
		return len(b), nil
	}
	n, err := sysWrite(s.fd, b)
	if err == nil && n < len(b) {
		s.out = &unsent{buf: buffers.Of(b[n:])}
		err = s.await(unix.EPOLLIN | unix.EPOLLOUT)
	}
	if err != nil {
		s.close(err)
		return 0, err
	}
	return len(b), nil
}

// Writev writes up to three pieces, none of them empty, with one system call. It takes all, as
// Write does.
func (s *socket) Writev(pieces [][]byte) (int, error) {
	if s.closed {
		return 0, errSocketClosed
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
			s.out = &unsent{buf: buffers.Take(left)}
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

func (s *socket) OutboundBuffered() int {
	if s.out == nil {
		return 0
	}
	return len(s.out.pending())
}

// Flush implements engine.Socket. An error closes the socket before it returns.
func (s *socket) Flush() error {
	if s.closed || s.out == nil {
		return nil
	}
	n, err := sysWrite(s.fd, s.out.pending())
	s.out.sent += n
	switch {
	case err != nil:
	case len(s.out.pending()) == 0:
		s.forget()
		err = s.await(unix.EPOLLIN)
	case s.out.sent > len(s.out.buf.B)/2: // more may be added to it
		s.out.buf.B = s.out.buf.B[:copy(s.out.buf.B, s.out.pending())]
		s.out.sent = 0
	}
	if err != nil {
		s.close(err)
	}
	return err
}

// forget drops the bytes that wait.
func (s *socket) forget() {
	if s.out != nil {
		buffers.Release(s.out.buf)
		s.out = nil
	}
}

// await sets the events that the loop gets for the socket.
func (s *socket) await(events uint32) error {
	ev := unix.EpollEvent{Events: events, Fd: int32(s.slot), Pad: int32(s.gen)}
	return os.NewSyscallError("write: epoll_ctl", unix.EpollCtl(s.loop.fd, unix.EPOLL_CTL_MOD, int(s.fd), &ev))
}

// Fd returns the descriptor, which is the socket's until close.
func (s *socket) Fd() int { return int(s.fd) }

func (s *socket) SetLinger(secs int) error {
	if s.closed {
		return errSocketClosed
	}
	s.forget() // the kernel is to drop what it has: it must get no more
	return unix.SetsockoptLinger(int(s.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: int32(secs)})
}

// close ends the connection; its handler is finished when close returns. Pending bytes are offered
// to the kernel once more. err says why the peer is gone; nil means that this side closes.
//
// The descriptor counts as a connection as long as it exists. If the peer is gone it is closed at
// the end of the turn, or of one of the next turns when very many are; otherwise at once, because
// the peer must get a FIN or RST.
func (s *socket) close(err error) {
	if s.closed {
		return
	}
	l := s.loop
	s.closed = true // first: what ends the connection may try to close it
	s.handler.Closed(err)
	if s.out != nil {
		_, _ = sysWrite(s.fd, s.out.pending())
		s.forget()
	}
	l.sockets[s.slot] = nil
	l.freed = append(l.freed, s.slot)
	// Close does it only if the descriptor has no duplicate, and a host may keep one.
	sysForget(l.fd, s.fd)
	if err != nil {
		l.closing = append(l.closing, s.fd)
		return
	}
	sysClose(s.fd)
	l.adm.Released()
}
