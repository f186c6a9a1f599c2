package child

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Because this process is a subreaper, it also becomes the parent of orphans that have left the
// group of their child, such as browsers and daemons. They may live on, but when they end, somebody
// has to reap them.

// zombies are the ended children of this process in process groups other than its own, with the
// time when each began, which tells it from a later process with the same ID.
type zombies map[int]string

// reapOrphans reaps those that were zombies at the last call already, and returns the zombies that
// are there now. What the host starts is not concerned: it is in the group of this process, or
// somebody waits for it. Of those that this package starts, none is a zombie for so long.
func reapOrphans(before zombies) zombies {
	now := zombies{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return now
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		began, ok := isZombie(pid)
		if !ok {
			continue
		}
		if before[pid] == began {
			_, _ = waitFor(pid, unix.WNOHANG)
		} else {
			now[pid] = began
		}
	}
	return now
}

// isZombie reports whether the process is one of those zombies, and when it began. The format is in
// proc_pid_stat(5).
func isZombie(pid int) (began string, ok bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", false
	}
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:]) // from the third field on: state, ppid, pgrp
	if len(f) < 20 || f[0][0] != 'Z' || string(f[1]) != strconv.Itoa(os.Getpid()) || string(f[2]) == strconv.Itoa(unix.Getpgrp()) {
		return "", false
	}
	return string(f[19]), true
}
