package observe

import (
	"errors"
	"time"
)

// ErrUnsupported is returned if the system is not Linux.
var ErrUnsupported = errors.New("observe: this needs Linux")

// ErrEnded is returned when no process of a Process is left.
var ErrEnded = errors.New("observe: the process has ended")

// Usage is what a Process has used and holds. It is the sum over its processes; times and switches
// include those of processes that have ended.
type Usage struct {
	At  time.Time
	CPU time.Duration // in nanoseconds, of all threads, ended or not

	User, System time.Duration // an estimated division of CPU, in steps of 10 ms

	RSS         int64 // resident bytes
	Threads     int
	Descriptors int
	Processes   int // live processes

	// The rest is set only by Sample.

	PSS           int64 // like RSS, but with only a share of each page that several processes share
	Private       int64 // bytes that would be freed if the process ended
	AnonymousHuge int64 // bytes of RSS in huge pages: a process may have got more than it requested
	Voluntary     int64 // context switches because a thread waited; those of ended threads are lost
	Involuntary   int64 // context switches because a thread's time slice was over
}

// States counts the sockets of a port by their state, as RFC 9293, section 3.3.2, names them.
type States struct {
	Listen, SynReceived, Established, CloseWait, LastAck, FinWait1, FinWait2, Closing, TimeWait int
}

// Open returns how many belong to a connection that has not ended on both sides: all except those
// in LISTEN and TIME-WAIT.
func (s *States) Open() int {
	return s.SynReceived + s.Established + s.CloseWait + s.LastAck + s.FinWait1 + s.FinWait2 + s.Closing
}

// Kernel is the kernel's memory in bytes, for the whole machine, and its count of TCP sockets.
type Kernel struct {
	At time.Time
	// Slab is the memory of kernel objects. An idle socket with its file and its epoll entry is
	// some 3.9 KB of it.
	Slab int64
	// Reclaimable is the part of Slab that counts as available, although it includes files and
	// inodes of open sockets.
	Reclaimable int64
	KernelStack int64
	PageTables  int64
	MemFree     int64
	// MemAvailable is an estimate that ignores open sockets in Reclaimable: to find out what
	// streams cost, use Slab and MemFree.
	MemAvailable int64
	Buffers      int64 // of TCP sockets: bytes sent or received and not read
	TCPSockets   int   // allocated, in any state except TIME-WAIT
	Orphans      int   // not held by any process
	TimeWait     int
}

// Sub returns k - before, field by field. At is k's.
func (k Kernel) Sub(before Kernel) Kernel {
	k.Slab -= before.Slab
	k.Reclaimable -= before.Reclaimable
	k.KernelStack -= before.KernelStack
	k.PageTables -= before.PageTables
	k.MemFree -= before.MemFree
	k.MemAvailable -= before.MemAvailable
	k.Buffers -= before.Buffers
	k.TCPSockets -= before.TCPSockets
	k.Orphans -= before.Orphans
	k.TimeWait -= before.TimeWait
	return k
}

// PerConnection returns the share of the difference k that each of n connections has, for the
// server's end. If both ends are on this machine (bothEnds), Slab contains the objects of both, and
// they are alike. Stacks and page tables belong to the server, or nearly so. It is an estimate,
// accurate to some percent with thousands of connections and nothing else going on.
func (k Kernel) PerConnection(n int, bothEnds bool) float64 {
	if n <= 0 {
		return 0
	}
	sockets := float64(k.Slab + k.Buffers)
	if bothEnds {
		sockets /= 2
	}
	return (sockets + float64(k.KernelStack+k.PageTables)) / float64(n)
}

// A Slab is one kind of kernel object.
type Slab struct {
	Name   string // TCP, sock_inode_cache, filp, …; kinds of the same size may share a name
	Active int64
	Size   int64 // bytes of one object
}
