package observe

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const line = "4242 (evil) R 1 (x) S 17 4242 4242 0 -1 4194304 100 200 0 0 123 45 6 7 20 0 9 0 998877 1234567 890 18446744073709551615 1 1\n"
	want := stat{state: 'S', parent: 17, user: 123, system: 45, threads: 9, rss: 890}
	if s, ok := parseStat([]byte(line)); !ok || s != want {
		t.Errorf("got %+v %t, want %+v", s, ok, want)
	}
	end := strings.Index(line, "890") + 1
	for i := range end {
		if s, ok := parseStat([]byte(line[:i])); ok {
			t.Errorf("%q: parsed as %+v", line[:i], s)
		}
	}
}

// Captured on a machine with both address families. The kernel prints the words in the byte order
// of the machine, here a little-endian one.
const tcp4 = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1001 1 0000000000000000 100 0 0 10 0
   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1002 1 0000000000000000 100 0 0 10 0
   2: 0100007F:1F90 0100007F:C001 01 00000000:00000000 00:00000000 00000000  1000        0 1003 1 0000000000000000 20 4 30 10 -1
   3: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1004 1 0000000000000000 100 0 0 10 0
`

const tcp6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 2001 1 0000000000000000 100 0 0 10 0
   1: 00000000000000000000000001000000:1F91 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 2002 1 0000000000000000 100 0 0 10 0
   2: 0000000000000000FFFF00000100007F:1F92 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 2003 1 0000000000000000 100 0 0 10 0
   3: zz:1F92 00000000000000000000000000000000:0000 0A x x x x
`

func TestServing(t *testing.T) {
	if a, ok := parseAddr([]byte("0100007F:0001")); !ok || a.Addr() != netip.MustParseAddr("127.0.0.1") {
		t.Skip("the samples are from a little-endian machine")
	}
	var list []listener
	for _, table := range []string{tcp4, tcp6} {
		lines := strings.Split(table, "\n")
		list = append(list, parseListeners(func() ([]byte, bool) {
			if len(lines) == 0 {
				return nil, false
			}
			line := lines[0]
			lines = lines[1:]
			return []byte(line), true
		})...)
	}
	if len(list) != 5 {
		t.Errorf("%d sockets listen, want 5: %v", len(list), list)
	}
	for addr, want := range map[string]uint64{
		"127.0.0.1:8080": 1001, // its own socket
		"127.0.0.2:8080": 2001, // a socket of all addresses, of both families
		"[::1]:8080":     2001,
		"10.1.2.3:80":    1002,
		"[::1]:8081":     2002,
		"127.0.0.1:8082": 2003, // written as an IPv6 address
		"127.0.0.1:8081": 0,
		"127.0.0.1:22":   0, // after the listening sockets, where the kernel has no listeners
	} {
		found := serving(list, netip.MustParseAddrPort(addr))
		if want == 0 && len(found) != 0 || want != 0 && (len(found) != 1 || !found[want]) {
			t.Errorf("%s: got %v, want %d", addr, found, want)
		}
	}
}

func TestParseAddrRefuses(t *testing.T) {
	for _, s := range []string{"", "0100007F", "0100007F:", "0100007F:1F90F", "01:1F90", "0100007:1F90", "0G00007F:1F90", strings.Repeat("0", 40) + ":0050"} {
		if a, ok := parseAddr([]byte(s)); ok {
			t.Errorf("%q: %s", s, a)
		}
	}
}

func TestValues(t *testing.T) {
	got := map[string]int64{}
	values([]byte("Rss:                1704 kB\nnr: 12\nno colon\nBad: x kB\nHuge: 99999999999999999999 kB\nEmpty:\n"), func(name []byte, v int64) { got[string(name)] = v })
	want := map[string]int64{"Rss": 1704 << 10, "nr": 12, "Bad": 0, "Huge": 0, "Empty": 0}
	if len(got) != len(want) {
		t.Errorf("got %v", got)
	}
	for name, v := range want {
		if got[name] != v {
			t.Errorf("%s: got %d, want %d", name, got[name], v)
		}
	}
}

func TestKernelArithmetic(t *testing.T) {
	before := Kernel{Slab: 100 << 10, KernelStack: 10 << 10, MemFree: 1 << 30, TCPSockets: 5, Buffers: 4096}
	after := Kernel{At: time.Now(), Slab: 900 << 10, KernelStack: 18 << 10, PageTables: 2 << 10, MemFree: 1<<30 - 900<<10, TCPSockets: 205, Buffers: 4096}
	d := after.Sub(before)
	if d.Slab != 800<<10 || d.KernelStack != 8<<10 || d.MemFree != -900<<10 || d.TCPSockets != 200 || d.At != after.At {
		t.Errorf("difference %+v", d)
	}
	if got, want := d.PerConnection(100, true), float64(400<<10+10<<10)/100; got != want {
		t.Errorf("both ends: %v, want %v", got, want)
	}
	if got, want := d.PerConnection(100, false), float64(800<<10+10<<10)/100; got != want {
		t.Errorf("one end: %v, want %v", got, want)
	}
	if got := d.PerConnection(0, true); got != 0 {
		t.Errorf("of none: %v", got)
	}
	states := States{Listen: 1, SynReceived: 2, Established: 3, CloseWait: 4, LastAck: 5, FinWait1: 6, FinWait2: 7, Closing: 8, TimeWait: 9}
	if got := states.Open(); got != 35 {
		t.Errorf("open: %d, want 35", got)
	}
}
