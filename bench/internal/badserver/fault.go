package badserver

import (
	"fmt"
	"strings"
)

// A Fault is something that a server does wrong.
type Fault string

// The faults.
const (
	LeakCloseWait  Fault = "leak-close-wait" // a connection whose client has closed is never closed
	LeakSessions   Fault = "leak-sessions"   // a session holds 16 KiB until DELETE, however long that does not come
	NeverHeartbeat Fault = "never-heartbeat" // a stream on which nothing happens gets nothing
	DropOnTerm     Fault = "drop-on-term"    // SIGTERM ends the process at once: streams without their result, calls without their answer
	SlowFanout     Fault = "slow-fanout"     // streams are written to one after the other, and each waits for the one before
	KeepDeadPeers  Fault = "keep-dead-peers" // a peer that answers nothing any more is kept as long as the kernel likes
	HugeHeads      Fault = "huge-heads"      // a head may have any size and take any time, and what was read of a connection stays in memory
	BlocksHealth   Fault = "blocks-health"   // one request at a time, whatever it takes
)

// Faults are all of them.
func Faults() []Fault {
	return []Fault{LeakCloseWait, LeakSessions, NeverHeartbeat, DropOnTerm, SlowFanout, KeepDeadPeers, HugeHeads, BlocksHealth}
}

type faults map[Fault]bool

// parseFaults reads names with commas between them. "good" is none.
func parseFaults(text string) ([]Fault, error) {
	if text == "good" {
		return nil, nil
	}
	var list []Fault
	for name := range strings.SplitSeq(text, ",") {
		list = append(list, Fault(name))
	}
	return list, checkFaults(list)
}

func checkFaults(list []Fault) error {
	known := faults{}
	for _, f := range Faults() {
		known[f] = true
	}
	for _, f := range list {
		if !known[f] {
			return fmt.Errorf("badserver: no fault %q", f)
		}
	}
	return nil
}
