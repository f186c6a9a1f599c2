package server

import (
	"sync/atomic"
	"time"
)

// A refusalClass is a kind of refusal that an operator should know of, because it may mean an
// attack or a wrong setting. A line for each would fill the log: see refusals.
type refusalClass uint8

const (
	refusedAuthentication refusalClass = iota // no credentials, or bad ones
	refusedScope                              // credentials that do not allow the operation
	refusedProxy                              // no PROXY header, or a malformed one
	refusedBinding                            // a bound token without a proof of its key
	refusedUser                               // a user whom somebody names who is not a trusted proxy
	refusedHandshake                          // too many handshakes
	refusedQuota                              // more than a client may have: see party.class

	numRefusalClasses = refusedQuota + refusalClass(numParties)*refusalClass(numQuotaLimits)
)

var refusalClassNames = func() (names [numRefusalClasses]string) {
	copy(names[:], []string{"authentication", "scope", "proxy", "token_binding", "user_header", "handshake"})
	for p := range numParties {
		for i, l := range quotaLimitNames {
			names[p.class(quotaLimit(i))] = partyNames[p] + "_" + l.name
		}
	}
	return names
}()

func (r refusalClass) String() string { return refusalClassNames[r] }

// refusals counts refusals by class, and logs each class at most once a minute: the first at once,
// and those of the following minute at its end. The lines have no names, tokens or addresses.
type refusals struct {
	total  [numRefusalClasses]atomic.Uint64
	logged [numRefusalClasses]atomic.Uint64 // how much of total the log has
	armed  [numRefusalClasses]atomic.Bool   // a line is being written, or its minute lasts
}

// refusalPeriod is the time between two log lines of a class.
const refusalPeriod = time.Minute

// refused counts a refusal and has it logged. It may be called from any goroutine, and does not
// wait.
func (s *Server) refused(class refusalClass) {
	r := &s.refusals
	r.total[class].Add(1)
	if !r.armed[class].Load() && r.armed[class].CompareAndSwap(false, true) {
		time.AfterFunc(0, func() { s.logRefusals(class) })
	}
}

// logRefusals logs what has been refused since the last line, and comes back after the period. It
// ends when nothing has.
func (s *Server) logRefusals(class refusalClass) {
	r := &s.refusals
	total := r.total[class].Load()
	n := total - r.logged[class].Swap(total)
	if n == 0 {
		r.armed[class].Store(false)
		if r.total[class].Load() == total || !r.armed[class].CompareAndSwap(false, true) {
			return
		}
	}
	if n > 0 {
		s.logger().Warn("server: clients were refused", "class", class.String(), "count", n)
	}
	if s.base.Err() == nil { // a server that has stopped refuses nothing more
		time.AfterFunc(refusalPeriod, func() { s.logRefusals(class) })
	}
}
