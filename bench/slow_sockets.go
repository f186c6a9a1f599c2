package bench

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// stalledSource is the number of the first address of stalled clients, which distinguishes them
// from others.
const stalledSource = 40_000

// A peerTable finds the server's ends of the connections from some addresses.
type peerTable struct {
	suffix string              // of the local address
	peers  map[string]struct{} // as the kernel writes them
}

// newPeerTable returns the table of the connections from sources to a local port. Without sources
// it finds nothing.
func newPeerTable(port uint16, sources []netip.Addr) *peerTable {
	t := &peerTable{suffix: fmt.Sprintf(":%04X", port), peers: map[string]struct{}{}}
	for _, a := range sources {
		if b := a.Unmap(); b.Is4() {
			four := b.As4()
			t.peers[fmt.Sprintf("%08X", binary.NativeEndian.Uint32(four[:]))] = struct{}{}
		}
	}
	return t
}

// count returns how many of the connections the server has not closed, and how many bytes the
// kernel holds that were sent to them and not acknowledged. ok is false if that cannot be
// determined.
func (t *peerTable) count() (held int, queued int64, ok bool) {
	if len(t.peers) == 0 {
		return 0, 0, false
	}
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		if b, err := os.ReadFile(name); err == nil {
			ok = true
			h, q := t.read(string(b))
			held, queued = held+h, queued+q
		}
	}
	return held, queued, ok
}

// States as numbered by proc_pid_net(5) and include/net/tcp_states.h.
const (
	stateEstablished = "01"
	stateCloseWait   = "08"
)

// read parses a table in the format of proc_pid_net(5).
func (t *peerTable) read(table string) (held int, queued int64) {
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 5 || !strings.HasSuffix(f[1], t.suffix) || f[3] != stateEstablished && f[3] != stateCloseWait {
			continue
		}
		peer, _, _ := strings.Cut(f[2], ":")
		if len(peer) < 8 {
			continue
		}
		// The last part of an IPv6 address holds a mapped IPv4 address.
		if _, ours := t.peers[peer[len(peer)-8:]]; !ours {
			continue
		}
		held++
		sent, _, _ := strings.Cut(f[4], ":")
		if n, err := strconv.ParseInt(sent, 16, 64); err == nil {
			queued += n
		}
	}
	return held, queued
}
