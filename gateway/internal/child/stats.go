package child

import (
	"strconv"
	"time"
)

// Stats are the figures of a Server.
type Stats struct {
	Starts   uint64 // of children, failed ones included
	Restarts uint64 // of them, those that were the first after a crash
	Crashes  uint64 // children that ended, or could not start, without Close
	Killed   uint64 // groups that got SIGKILL
	Left     uint64 // of them, those that did not end within 5 s

	StrayLines uint64 // lines that are not messages
	TooLong    uint64 // lines beyond MaxLine
	Late       uint64 // responses to no request, or to one that was given up
	Dropped    uint64 // notifications and responses that found the queue full

	BytesIn  uint64 // from stdout
	BytesOut uint64 // to stdin
	BytesErr uint64 // from stderr

	CrashesInARow int
	NextStart     time.Time // no start before
	LastExit      string    // how the last child ended: "exit status 1", "signal: killed"
	LastExitTime  time.Time

	Children []Stat // of all links, the oldest first
}

// A Stat is about one link.
type Stat struct {
	State    State
	PID      int       // 0 if there is no process yet
	Opened   time.Time // when Open was called
	Started  time.Time // of the process; zero if there is none yet
	InFlight int       // requests without a response
	Queued   int       // bytes that wait to be written
}

// A State says how far a link has come.
type State uint8

const (
	Starting State = iota // waits for its turn, or has not sent its first message
	Backoff               // waits because the previous child has crashed
	Up                    // has sent a message
	Stopping              // is closed or lost, and its processes are ending
)

var states = [...]string{"starting", "backoff", "up", "stopping"}

// String returns the name that metrics and pages use.
func (s State) String() string {
	if int(s) < len(states) {
		return states[s]
	}
	return "state " + strconv.Itoa(int(s))
}
