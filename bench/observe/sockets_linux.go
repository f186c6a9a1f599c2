package observe

import (
	"net/netip"
	"sync"

	"github.com/mooring-mcp/mooring/internal/sockdiag"
)

// Sockets counts the sockets of one local port, on all addresses. Its methods may be called from
// any goroutine.
type Sockets struct {
	port int

	mu     sync.Mutex // guards reader
	reader *sockdiag.Reader
}

// OpenSockets returns the Sockets of a server's port. The caller must close it.
func OpenSockets(port uint16) (*Sockets, error) {
	r, err := sockdiag.NewReader()
	if err != nil {
		return nil, err
	}
	return &Sockets{port: int(port), reader: r}, nil
}

// Count asks the kernel, which walks its whole table: it takes some 100 µs and 1 µs more for each
// socket of the port.
func (s *Sockets) Count() (States, error) { return s.CountWithout(nil) }

// CountWithout is Count without the sockets whose peers have one of these IPv4 addresses.
func (s *Sockets) CountWithout(peers []netip.Addr) (States, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.reader.CountWithout(s.port, peers)
	return States{
		Listen: c[sockdiag.Listen], SynReceived: c[sockdiag.SynReceived], Established: c[sockdiag.Established], CloseWait: c[sockdiag.CloseWait], LastAck: c[sockdiag.LastAck],
		FinWait1: c[sockdiag.FinWait1], FinWait2: c[sockdiag.FinWait2], Closing: c[sockdiag.Closing], TimeWait: c[sockdiag.TimeWait],
	}, err
}

// Close releases the descriptor.
func (s *Sockets) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reader.Close()
}
