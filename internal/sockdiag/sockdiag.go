//go:build linux

package sockdiag

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// State is a TCP state as the kernel numbers it (include/net/tcp_states.h).
type State uint8

// The states of RFC 9293, section 3.3.2. SynReceived has two numbers in the kernel; Counts has both
// under this one.
const (
	Established State = iota + 1
	SynSent
	SynReceived
	FinWait1
	FinWait2
	TimeWait
	Closed
	CloseWait
	LastAck
	Listen
	Closing
	newSynReceived
	numStates
)

var stateNames = [numStates]string{"", "ESTABLISHED", "SYN-SENT", "SYN-RECEIVED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSED", "CLOSE-WAIT", "LAST-ACK", "LISTEN", "CLOSING", ""}

// String returns the name that RFC 9293 uses.
func (s State) String() string {
	if s < numStates {
		return stateNames[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// Counts is a number of sockets for each State.
type Counts [numStates]int

// Open returns how many sockets belong to a connection that has not ended on both sides: all except
// those in LISTEN and TIME-WAIT.
func (c *Counts) Open() int {
	n := 0
	for s, v := range c {
		if State(s) != Listen && State(s) != TimeWait {
			n += v
		}
	}
	return n
}

// String lists the states that have sockets.
func (c *Counts) String() string {
	var b strings.Builder
	for s, v := range c {
		if v == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s=%d", State(s), v)
	}
	if b.Len() == 0 {
		return "none"
	}
	return b.String()
}

// Reader asks the kernel. Only one goroutine at a time may use it.
type Reader struct {
	fd  int
	seq uint32
	buf []byte
}

// NewReader returns a Reader. The caller must close it.
func NewReader() (*Reader, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("sockdiag: socket: %w", err)
	}
	return &Reader{fd: fd, buf: make([]byte, 64<<10)}, nil
}

// Close releases the Reader's descriptor.
func (r *Reader) Close() error { return unix.Close(r.fd) }

// Count returns the sockets of the local port, of IPv4 and IPv6 together. If remote is not 0, it
// counts only those whose peer has that port.
func (r *Reader) Count(local, remote int) (Counts, error) { return r.count(local, remote, nil) }

// CountWithout is Count for peers with any port, except those with one of these IPv4 addresses.
func (r *Reader) CountWithout(local int, peers []netip.Addr) (Counts, error) {
	return r.count(local, 0, peers)
}

func (r *Reader) count(local, remote int, without []netip.Addr) (Counts, error) {
	var c Counts
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		if err := r.dump(&c, family, local, remote, without); err != nil {
			return c, err
		}
	}
	c[SynReceived] += c[newSynReceived]
	c[newSynReceived] = 0
	return c, nil
}

// request is struct inet_diag_req_v2 after its struct nlmsghdr (include/uapi/linux/inet_diag.h).
type request struct {
	header   unix.NlMsghdr
	family   uint8
	protocol uint8
	ext      uint8
	_        uint8
	states   uint32
	sport    [2]byte
	dport    [2]byte
	_        [44]byte // addresses, interface and cookie: any
}

const (
	sockDiagByFamily = 20 // SOCK_DIAG_BY_FAMILY
	stateAt          = 1  // offset of idiag_state in struct inet_diag_msg
	peerAt           = 24 // offset of id.idiag_dst there: 16 octets, of which IPv4 uses the first 4
)

// peer returns the address of a socket's peer. It is IPv4 even if the socket is an IPv6 socket with
// an IPv4 peer.
func peer(body []byte) netip.Addr {
	if len(body) < peerAt+16 {
		return netip.Addr{}
	}
	if body[0] == unix.AF_INET {
		return netip.AddrFrom4([4]byte(body[peerAt:]))
	}
	return netip.AddrFrom16([16]byte(body[peerAt:])).Unmap()
}

func (r *Reader) dump(c *Counts, family uint8, local, remote int, without []netip.Addr) error {
	r.seq++
	req := request{family: family, protocol: unix.IPPROTO_TCP, states: 1<<numStates - 1}
	req.header = unix.NlMsghdr{Len: uint32(unsafe.Sizeof(req)), Type: sockDiagByFamily, Flags: unix.NLM_F_REQUEST | unix.NLM_F_DUMP, Seq: r.seq}
	binary.BigEndian.PutUint16(req.sport[:], uint16(local))
	binary.BigEndian.PutUint16(req.dport[:], uint16(remote))
	msg := unsafe.Slice((*byte)(unsafe.Pointer(&req)), unsafe.Sizeof(req))
	if err := unix.Sendto(r.fd, msg, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("sockdiag: send: %w", err)
	}
	for {
		n, _, err := unix.Recvfrom(r.fd, r.buf, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("sockdiag: receive: %w", err)
		}
		if done, err := c.add(r.buf[:n], r.seq, without); done || err != nil {
			return err
		}
	}
}

// add counts the messages of one datagram, except those of sockets whose peers have one of these
// addresses. It reports whether the last message has arrived.
func (c *Counts) add(b []byte, seq uint32, without []netip.Addr) (done bool, err error) {
	for len(b) >= unix.SizeofNlMsghdr {
		h := (*unix.NlMsghdr)(unsafe.Pointer(&b[0]))
		if int(h.Len) < unix.SizeofNlMsghdr || int(h.Len) > len(b) {
			return true, fmt.Errorf("sockdiag: message of %d bytes in %d", h.Len, len(b))
		}
		body := b[unix.SizeofNlMsghdr:h.Len]
		b = b[min(len(b), int(h.Len+3)&^3):]
		if h.Seq != seq {
			continue // of a dump that was given up
		}
		switch h.Type {
		case unix.NLMSG_DONE:
			return true, nil
		case unix.NLMSG_ERROR:
			if len(body) >= 4 {
				return true, fmt.Errorf("sockdiag: %w", unix.Errno(-int32(binary.NativeEndian.Uint32(body))))
			}
			return true, fmt.Errorf("sockdiag: malformed error")
		case sockDiagByFamily:
			if len(body) > stateAt && body[stateAt] < uint8(numStates) && (without == nil || !slices.Contains(without, peer(body))) {
				c[body[stateAt]]++
			}
		}
	}
	return false, nil
}
