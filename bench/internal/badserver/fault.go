package badserver

import (
	"fmt"
	"strings"
)

// A Fault is something that a server does wrong.
type Fault string

// The faults.
const (
	// LeakCloseWait never closes a connection that the client has closed.
	LeakCloseWait Fault = "leak-close-wait"
	// LeakSessions keeps 16 KiB for a session until DELETE, even if that never comes.
	LeakSessions Fault = "leak-sessions"
	// NeverHeartbeat sends nothing on an idle stream.
	NeverHeartbeat Fault = "never-heartbeat"
	// DropOnTerm ends the process at once on SIGTERM: streams get no result, calls no answer.
	DropOnTerm Fault = "drop-on-term"
	// SlowFanout writes to one stream after the other, and each waits for the previous one.
	SlowFanout Fault = "slow-fanout"
	// KeepDeadPeers keeps a peer that no longer responds as long as the kernel allows.
	KeepDeadPeers Fault = "keep-dead-peers"
	// HugeHeads lets a head have any size and take any time, and keeps all data that is read.
	HugeHeads Fault = "huge-heads"
	// BlocksHealth serves one request at a time, however long it takes.
	BlocksHealth Fault = "blocks-health"
)

// Faults returns all faults.
func Faults() []Fault {
	return []Fault{LeakCloseWait, LeakSessions, NeverHeartbeat, DropOnTerm, SlowFanout, KeepDeadPeers, HugeHeads, BlocksHealth}
}

type faults map[Fault]bool

// parseFaults parses names separated by commas. "good" means none.
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
