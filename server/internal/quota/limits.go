package quota

import "time"

// Kind is something that a client holds for a while.
type Kind uint8

const (
	Connections Kind = iota
	Streams
	Sessions
	Calls // in flight
	NumKinds
)

// Budget is something that a client may do so often in a second.
type Budget uint8

const (
	CallRate Budget = iota // calls
	ListRate               // lists and handshakes
	NumBudgets
)

// Time is a moment, in nanoseconds since some other. Differences alone matter.
type Time int64

// Limits are those of each client of a Table.
type Limits struct {
	Most  [NumKinds]uint32 // the maximum of a kind; 0 means that it is not counted
	Rates [NumBudgets]Rate
}

// A Rate limits how often something is done. The zero Rate does not.
type Rate struct {
	every Time // from one to the next
	burst Time // the time in which a budget fills up: burst * every
}

// RateOf returns the rate of so many in a second, of which burst may come at once. A perSecond of 0
// means no limit. Both are rounded to what can be counted.
func RateOf(perSecond float64, burst int) Rate {
	if !(perSecond > 0) {
		return Rate{}
	}
	every := max(1, Time(min(float64(time.Second)/perSecond, float64(longest))))
	return Rate{every, every * min(max(1, Time(burst)), longest/every)}
}

// longest is the longest time in which a budget fills up, which leaves room for additions.
const longest = Time(100 * 365 * 24 * time.Hour / 2)

// limits reports whether there is a limit.
func (r Rate) limits() bool { return r.every > 0 }

// after returns when a budget that was going to be full at full will be so if it is used at now,
// and how long it takes before it may be used: 0 if it may be now.
func (r Rate) after(full, now Time) (next Time, wait time.Duration) {
	next = max(full, now) + r.every
	return next, time.Duration(max(0, next-now-r.burst))
}
