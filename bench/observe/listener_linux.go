package observe

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// FindListener returns the processes that serve the connections to addr on this machine: those that hold the listening socket, and their children, without this process and those that have started it, unless nobody
// else is left. Who started the others stands first.
//
// A process of another network namespace is not found; nor is one of another user, unless this process may look at it.
func FindListener(addr netip.AddrPort) ([]int, error) {
	var list []listener
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(name)
		if errors.Is(err, os.ErrNotExist) {
			continue // without IPv6
		}
		if err != nil {
			return nil, fmt.Errorf("observe: %w", err)
		}
		lines := bufio.NewScanner(f)
		list = append(list, parseListeners(func() ([]byte, bool) {
			ok := lines.Scan()
			return lines.Bytes(), ok
		})...)
		_ = f.Close()
	}
	inodes := serving(list, addr)
	if len(inodes) == 0 {
		return nil, fmt.Errorf("observe: nobody on this machine listens at %s", addr)
	}
	pids, refused := holders(inodes)
	if len(pids) == 0 {
		if refused > 0 {
			return nil, fmt.Errorf("observe: whoever listens at %s is none of the processes that this user may look at (%d may not): give its process id, or run as its user", addr, refused)
		}
		return nil, fmt.Errorf("observe: no process of this namespace holds the socket that listens at %s", addr)
	}
	parents := parentsOfAll()
	// Who has started this process may hold the socket for another one: the first process of the system, or a test.
	outer := above(os.Getpid(), parents)
	if others := slices.DeleteFunc(slices.Clone(pids), func(pid int) bool { return outer[pid] }); len(others) > 0 {
		return descend(others, parents), nil
	}
	// It is this very process, whose children need not be servers.
	return pids, nil
}

// Tree returns pid and the processes below it, pid first. The error says that there is none.
func Tree(pid int) ([]int, error) {
	parents := parentsOfAll()
	if _, ok := parents[pid]; !ok {
		return nil, fmt.Errorf("observe: no process %d", pid)
	}
	return descend([]int{pid}, parents), nil
}

// holders returns the processes that have one of the sockets open, and how many could not be looked at.
func holders(inodes map[uint64]bool) (pids []int, refused int) {
	for pid := range processes() {
		dir, err := os.Open("/proc/" + strconv.Itoa(pid) + "/fd")
		if err != nil {
			if errors.Is(err, os.ErrPermission) {
				refused++
			}
			continue
		}
		if holds(dir, inodes) {
			pids = append(pids, pid)
		}
		_ = dir.Close()
	}
	return pids, refused
}

func holds(dir *os.File, inodes map[uint64]bool) bool {
	for {
		names, err := dir.Readdirnames(1024)
		for _, name := range names {
			// The target is "socket:[123]".
			link, err := os.Readlink(dir.Name() + "/" + name)
			if err != nil {
				continue
			}
			text, ok := strings.CutPrefix(link, "socket:[")
			if !ok {
				continue
			}
			if inode, err := strconv.ParseUint(strings.TrimSuffix(text, "]"), 10, 64); err == nil && inodes[inode] {
				return true
			}
		}
		if err != nil || len(names) == 0 {
			return false
		}
	}
}

// processes yields the ids of all processes.
func processes() func(yield func(int) bool) {
	return func(yield func(int) bool) {
		dir, err := os.Open("/proc")
		if err != nil {
			return
		}
		defer dir.Close()
		for {
			names, err := dir.Readdirnames(1024)
			for _, name := range names {
				if pid, e := strconv.Atoi(name); e == nil && !yield(pid) {
					return
				}
			}
			if err == io.EOF || err != nil || len(names) == 0 {
				return
			}
		}
	}
}

// parentsOfAll returns the parent of each process.
func parentsOfAll() map[int]int {
	parents := map[int]int{}
	for pid := range processes() {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			continue // it has ended
		}
		if s, ok := parseStat(b); ok {
			parents[pid] = s.parent
		}
	}
	return parents
}

// above returns pid, its parent, and so on.
func above(pid int, parents map[int]int) map[int]bool {
	up := map[int]bool{}
	for pid > 0 && !up[pid] {
		up[pid] = true
		pid = parents[pid]
	}
	return up
}

// descend returns roots and the processes below them: who is below another one of roots comes behind it, and ids ascend among equals.
func descend(roots []int, parents map[int]int) []int {
	children := map[int][]int{}
	for pid, parent := range parents {
		children[parent] = append(children[parent], pid)
	}
	isRoot := map[int]bool{}
	for _, pid := range roots {
		isRoot[pid] = true
	}
	slices.Sort(roots)
	var list []int
	seen := map[int]bool{}
	var add func(pid int)
	add = func(pid int) {
		if seen[pid] {
			return
		}
		seen[pid] = true
		list = append(list, pid)
		below := children[pid]
		slices.Sort(below)
		for _, child := range below {
			add(child)
		}
	}
	for _, pid := range roots {
		if up := above(parents[pid], parents); !anyOf(up, isRoot) {
			add(pid)
		}
	}
	return list
}

func anyOf(a, b map[int]bool) bool {
	for v := range b {
		if a[v] {
			return true
		}
	}
	return false
}
