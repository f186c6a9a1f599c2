package engine

import (
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	maxEnrolling = 64 // connections between accept and their loop, with two descriptors each
	maxRefusing  = 32 // connections that are being refused
	maxBeyond    = 8  // connections beyond the descriptor limit
	otherFiles   = 64 // descriptors left to the rest of the process

	refuseTime  = 500 * time.Millisecond // for a refused client to read its answer
	refuseBytes = 64 << 10               // and what it may send meanwhile
)

// Config is what an Admission, and the engines that share it, are made with. It does not change.
type Config struct {
	Host           Host
	Loops          int
	MaxConnections int
	Sockets        SocketOptions
	Logger         *slog.Logger
}

// Admission decides which connections are served. Its methods may be called from any goroutine.
type Admission struct {
	Config

	count   atomic.Int64 // connections that are admitted and not yet closed
	errors  atomic.Uint64
	refused atomic.Uint64

	limit    int64         // connections that the descriptor limit allows
	beyond   int64         // connections more for clients of this machine
	refusing chan struct{} // limits the connections that are being refused
	room     roomGate

	coming    []atomic.Int32 // connections on their way to each loop, where that may take a turn
	nextIndex atomic.Uint32  // of the loop for the next connection

	end chan struct{} // closed by End
}

// NewAdmission returns an Admission that is ready to count. SetDescriptors must follow before the
// first connection is accepted.
func NewAdmission(c Config) *Admission {
	return &Admission{Config: c, coming: make([]atomic.Int32, c.Loops), end: make(chan struct{})}
}

// End ends all waiting and accepting. It must be called only once.
func (a *Admission) End() { close(a.end) }

// Ended returns a channel that is closed by End.
func (a *Admission) Ended() <-chan struct{} { return a.end }

// HasEnded reports whether End has been called.
func (a *Admission) HasEnded() bool {
	select {
	case <-a.end:
		return true
	default:
		return false
	}
}

// Connections returns how many connections are admitted and not yet closed.
func (a *Admission) Connections() int64 { return a.count.Load() }

// Limit returns how many connections the descriptor limit allows. It is 0 before SetDescriptors.
func (a *Admission) Limit() int64 { return a.limit }

// Errors returns how often accepting has failed.
func (a *Admission) Errors() uint64 { return a.errors.Load() }

// Refused returns how many connections were refused.
func (a *Admission) Refused() uint64 { return a.refused.Load() }

// CountRefused counts a connection that was admitted and is refused nevertheless.
func (a *Admission) CountRefused() { a.refused.Add(1) }

// Fail counts an error of accepting, and logs it with further attributes.
func (a *Admission) Fail(msg string, err error, args ...any) {
	a.errors.Add(1)
	a.Logger.Warn(msg, append([]any{"err", err}, args...)...)
}

// SetDescriptors derives from the descriptor limit of the process how many connections it allows:
// the descriptors that enrolments, refusals and the rest of the process may need stay free. It
// returns how many enrolments there may be at a time.
func (a *Admission) SetDescriptors(limit int64) (enrolling int) {
	enrolling = int(min(maxEnrolling, max(1, limit/32)))
	refusing := int(min(maxRefusing, max(1, limit/32)))
	a.refusing = make(chan struct{}, refusing)
	others := min(otherFiles, limit/4)
	a.limit = max(1, limit-int64(2*enrolling+refusing)-others)
	a.beyond = min(maxBeyond, max(1, others/8))
	return enrolling
}

// Descriptors returns how many descriptors the process may have.
func Descriptors() int64 {
	const unlimited = int64(int(^uint(0) >> 1))
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil || r.Cur > uint64(unlimited) {
		return unlimited
	}
	return int64(r.Cur)
}

// Reserve counts one more connection, unless there are MaxConnections, or as many as the
// descriptor limit allows a listener of this kind. Clients of a local listener may be admitted
// beyond that limit, a few at a time, so that health checks are answered when nothing else gives
// way: beyond reports that. Reserve may wait for other connections to give way.
func (a *Admission) Reserve(local bool) (beyond, ok bool) {
	for {
		n := a.count.Load()
		beyond = local && n >= a.limit
		if n >= int64(a.MaxConnections) || beyond && n >= a.limit+a.beyond {
			return false, false
		}
		if a.count.CompareAndSwap(n, n+1) {
			break
		}
	}
	if beyond {
		a.Host.MakeRoom(a.limit)
		beyond = a.count.Load() > a.limit
	}
	return beyond, true
}

// Released takes back what Reserve counted, when the connection's descriptor is closed.
func (a *Admission) Released() {
	a.count.Add(-1)
	a.room.open()
}

// Retain counts a connection once more that is counted already. It continues outside the loops, and
// whoever has it then calls Released for it too.
func (a *Admission) Retain() { a.count.Add(1) }

// Unreserve is Released for a connection that no loop has taken because there is no room for it:
// those that wait for room continue to wait.
func (a *Admission) Unreserve() { a.count.Add(-1) }

// NextLoop returns the index of the loop for the next connection. It picks the loops in turn,
// except those that are held and those to which share connections or more are on their way. If
// there is no other, it picks the loop with the fewest on their way.
func (a *Admission) NextLoop(share int32) int {
	fewest := -1
	for range a.coming {
		i := int(a.nextIndex.Add(1) % uint32(len(a.coming)))
		n := a.coming[i].Load()
		if fewest < 0 || n < a.coming[fewest].Load() {
			fewest = i
		}
		if n < share && !a.Host.Held(i) {
			return i
		}
	}
	return fewest
}

// Coming adds n to the connections that are on their way to a loop.
func (a *Admission) Coming(loop int, n int32) { a.coming[loop].Add(n) }

// Refuse answers a connection above the limit, without a loop, and closes it in stages so that the
// answer arrives. It takes ownership of nc.
func (a *Admission) Refuse(nc net.Conn) {
	a.refused.Add(1)
	select {
	case a.refusing <- struct{}{}:
	default:
		_ = nc.Close()
		return
	}
	msg := a.Host.Refusal()
	go func() {
		defer func() { <-a.refusing }()
		defer nc.Close()
		_ = nc.SetDeadline(time.Now().Add(refuseTime))
		if _, err := nc.Write(msg); err != nil {
			return
		}
		if w, ok := nc.(interface{ CloseWrite() error }); ok {
			_ = w.CloseWrite()
		}
		_, _ = io.CopyN(io.Discard, nc, refuseBytes)
	}()
}
