package observe

import (
	"errors"
	"time"
)

// ErrUnsupported is returned where the system is not Linux.
var ErrUnsupported = errors.New("observe: this needs Linux")

// ErrEnded is returned when no process of a Process is left.
var ErrEnded = errors.New("observe: the process has ended")

// Usage is what a Process has used and holds. It is the sum of its processes; times and switches of those that have ended are among it.
type Usage struct {
	At  time.Time
	CPU time.Duration // in nanoseconds, of all threads, ended or not

	User, System time.Duration // CPU divided by an estimate, in steps of 10 ms

	RSS         int64 // resident bytes
	Threads     int
	Descriptors int
	Processes   int // that live

	// The rest is set by Sample alone.

	PSS           int64 // as RSS, but of a page that several processes share only this one's part
	Private       int64 // bytes that would be free if the process ended
	AnonymousHuge int64 // bytes of RSS in huge pages: a process may have got more than it asked for
	Voluntary     int64 // context switches because a thread waited; of ended threads they are lost
	Involuntary   int64 // and because its time was over
}

// States are the sockets of a port, by what RFC 9293, section 3.3.2, calls their state.
type States struct {
	Listen, SynReceived, Established, CloseWait, LastAck, FinWait1, FinWait2, Closing, TimeWait int
}

// Open returns how many stand for a connection that has not ended on both sides: all but those in LISTEN and TIME-WAIT.
func (s *States) Open() int {
	return s.SynReceived + s.Established + s.CloseWait + s.LastAck + s.FinWait1 + s.FinWait2 + s.Closing
}

// Kernel is memory of the kernel in bytes, of the whole machine, and its count of TCP sockets.
type Kernel struct {
	At           time.Time
	Slab         int64 // objects of the kernel; an idle socket with its file and its entry in epoll is some 3.9 KB of it
	Reclaimable  int64 // the part of Slab that counts as available, though files and inodes of open sockets are in it
	KernelStack  int64
	PageTables   int64
	MemFree      int64
	MemAvailable int64 // an estimate that ignores Reclaimable's open sockets: for what streams cost use Slab and MemFree
	Buffers      int64 // of TCP sockets: bytes sent or received and not read
	TCPSockets   int   // allocated, whatever their state but TIME-WAIT
	Orphans      int   // that no process holds any more
	TimeWait     int
}

// Sub returns k - before, member by member. At is k's.
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

// PerConnection returns what of the difference k falls on each of n connections, for the server's end: objects of both ends are in Slab when both are on this machine (bothEnds), and they are alike. Stacks and tables
// are the server's alone, or nearly. It is an estimate, good to some per cent with thousands of connections and nothing else going on.
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

// A Slab is one kind of object that the kernel holds.
type Slab struct {
	Name   string // TCP, sock_inode_cache, filp, …; kinds of one size may share a name
	Active int64
	Size   int64 // bytes of one
}
