package observe

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
)

// A stat holds the fields of /proc/PID/stat that are used (proc_pid_stat(5)).
type stat struct {
	state   byte
	parent  int
	user    int64 // ticks
	system  int64
	threads int
	rss     int64 // pages
}

// parseStat parses the fields after the name, which is in parentheses and may contain any
// character, including parentheses.
func parseStat(b []byte) (s stat, ok bool) {
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return s, false
	}
	// The first field here is the third one of the line.
	field := 3
	for value := range bytes.FieldsSeq(b[i+1:]) {
		switch field {
		case 3:
			s.state = value[0]
		case 4:
			s.parent = int(number(value))
		case 14:
			s.user = number(value)
		case 15:
			s.system = number(value)
		case 20:
			s.threads = int(number(value))
		case 24:
			s.rss = number(value)
			return s, true
		}
		field++
	}
	return s, false
}

// number returns the value of decimal digits, and 0 for anything else.
func number(b []byte) int64 {
	var n int64
	for i, c := range b {
		if c < '0' || c > '9' || i == 19 {
			return 0
		}
		n = n*10 + int64(c-'0')
	}
	return n
}

// values yields the name and number of each line of the form "Name: 123 kB", in bytes if the unit
// is kB.
func values(b []byte, yield func(name []byte, value int64)) {
	for line := range bytes.Lines(b) {
		name, rest, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			continue
		}
		digits, unit, _ := bytes.Cut(bytes.TrimSpace(rest), []byte(" "))
		v := number(digits)
		if string(unit) == "kB" {
			v <<= 10
		}
		yield(name, v)
	}
}

// pairs yields the names and numbers of a line of /proc/net/sockstat: "TCP: inuse 5 orphan 0 …".
func pairs(line []byte, yield func(name []byte, value int64)) {
	var name []byte
	for word := range bytes.FieldsSeq(line) {
		if name == nil {
			name = word
			continue
		}
		yield(name, number(word))
		name = nil
	}
}

// A listener is a listening socket in /proc/net/tcp or tcp6.
type listener struct {
	addr  netip.AddrPort
	inode uint64
}

const stateListen = "0A"

// parseListeners parses /proc/net/tcp or tcp6. The kernel lists listening sockets first, so parsing
// stops at the first other one, and a million sockets after it need not be read.
func parseListeners(lines func() ([]byte, bool)) []listener {
	var list []listener
	if _, ok := lines(); !ok { // the head of the table
		return nil
	}
	for line, ok := lines(); ok; line, ok = lines() {
		f := bytes.Fields(line)
		if len(f) < 10 {
			continue
		}
		if string(f[3]) != stateListen {
			break
		}
		addr, ok := parseAddr(f[1])
		if inode, err := strconv.ParseUint(string(f[9]), 10, 64); ok && err == nil && inode != 0 {
			list = append(list, listener{addr, inode})
		}
	}
	return list
}

// parseAddr parses an address as the table has it: 32-bit words in the byte order of the machine, a
// colon, and the port.
func parseAddr(b []byte) (netip.AddrPort, bool) {
	host, port, ok := bytes.Cut(b, []byte(":"))
	if !ok {
		return netip.AddrPort{}, false
	}
	p, err := strconv.ParseUint(string(port), 16, 16)
	if err != nil {
		return netip.AddrPort{}, false
	}
	if len(host) != 8 && len(host) != 32 {
		return netip.AddrPort{}, false
	}
	var raw [16]byte
	n, err := hex.Decode(raw[:], host)
	if err != nil {
		return netip.AddrPort{}, false
	}
	for i := 0; i < n; i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	addr, _ := netip.AddrFromSlice(raw[:n])
	return netip.AddrPortFrom(addr, uint16(p)), true
}

// serving returns the inodes of the listeners that get the connections to addr: those of the
// address itself, or else those of all addresses.
func serving(list []listener, addr netip.AddrPort) map[uint64]bool {
	match := func(yes func(netip.Addr) bool) map[uint64]bool {
		found := map[uint64]bool{}
		for _, l := range list {
			if l.addr.Port() == addr.Port() && yes(l.addr.Addr()) {
				found[l.inode] = true
			}
		}
		return found
	}
	want := addr.Addr().Unmap().WithZone("")
	for _, rule := range []func(netip.Addr) bool{
		func(a netip.Addr) bool { return a.Unmap() == want },
		func(a netip.Addr) bool { return a.IsUnspecified() && a.Is4() == want.Is4() },
		func(a netip.Addr) bool { return a.IsUnspecified() },
	} {
		if found := match(rule); len(found) > 0 {
			return found
		}
	}
	return nil
}
