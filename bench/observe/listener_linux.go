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

// FindListener returns the processes that serve connections to addr on this machine: those that
// hold the listening socket, and their children. It leaves out this process and its ancestors,
// unless no other process is found. Processes that started others come first.
//
// It does not find a process in another network namespace, nor one of another user unless this
// process has permission to inspect it.
func FindListener(addr netip.AddrPort) ([]int, error) {
	var list []listener
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(name)
		if errors.Is(err, os.ErrNotExist) {
			continue // no IPv6
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
		return nil, fmt.Errorf("observe: no process on this machine listens on %s", addr)
	}
	pids, refused := holders(inodes)
	if len(pids) == 0 {
		if refused > 0 {
			return nil, fmt.Errorf("observe: the process that listens on %s is not one that this user may inspect (%d may not be inspected): give its process ID, or run as its user", addr, refused)
		}
		return nil, fmt.Errorf("observe: no process in this namespace holds the socket that listens on %s", addr)
	}
	parents := parentsOfAll()
	// An ancestor of this process may hold the socket on behalf of another one: the first process
	// of the system, or a test.
	outer := above(os.Getpid(), parents)
	if others := slices.DeleteFunc(slices.Clone(pids), func(pid int) bool { return outer[pid] }); len(others) > 0 {
		return descend(others, parents), nil
	}
	// It is this process itself, whose children need not be servers.
	return pids, nil
}

// Tree returns pid and its descendants, pid first. The error means that there is no such process.
func Tree(pid int) ([]int, error) {
	parents := parentsOfAll()
	if _, ok := parents[pid]; !ok {
		return nil, fmt.Errorf("observe: no process %d", pid)
	}
	return descend([]int{pid}, parents), nil
}

// holders returns the processes that have one of the sockets open, and how many could not be
// inspected.
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

// processes yields the IDs of all processes.
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
			continue // the process has ended
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

// descend returns roots and their descendants. A root that is a descendant of another one comes
// after it, and among siblings IDs ascend.
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
