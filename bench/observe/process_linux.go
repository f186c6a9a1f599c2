package observe

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A Process is one process, or several whose figures are added up. It holds each of them by
// descriptors, so that another process that gets the same ID later is not mistaken for it. Its
// methods may be called from any goroutine.
type Process struct {
	command string
	build   string

	mu      sync.Mutex // guards the rest
	members []*member
	ended   Usage // times and switches of members that have ended
	notes   []string
}

// A member is one process.
type member struct {
	pid   int
	dir   *os.File // /proc/PID
	stat  *os.File // /proc/PID/stat, read repeatedly
	last  Usage    // used once the process has ended
	gone  bool
	proc  [512]byte
	clock bool // the clock can be read
}

// Open returns the Process of pids, which is named after the first of them. The caller must close
// it. It does not include their children: see [Tree] and [FindListener].
func Open(pids ...int) (*Process, error) {
	if len(pids) == 0 {
		return nil, errors.New("observe: no process")
	}
	p := &Process{}
	for _, pid := range pids {
		m, err := openMember(pid)
		if err != nil {
			p.Close()
			return nil, err
		}
		p.members = append(p.members, m)
	}
	p.command = commandOf(pids[0])
	p.build = p.buildOf(pids[0])
	return p, nil
}

func openMember(pid int) (*member, error) {
	m := &member{pid: pid, clock: true}
	var err error
	if m.dir, err = os.Open("/proc/" + strconv.Itoa(pid)); err == nil {
		if m.stat, err = m.open("stat"); err == nil {
			return m, nil
		}
		_ = m.dir.Close()
	}
	return nil, fmt.Errorf("observe: process %d: %w", pid, err)
}

// open opens a file of the process, never of another one that has got its ID.
func (m *member) open(name string) (*os.File, error) {
	fd, err := unix.Openat(int(m.dir.Fd()), name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: m.dir.Name() + "/" + name, Err: err}
	}
	return os.NewFile(uintptr(fd), m.dir.Name()+"/"+name), nil
}

func (m *member) close() {
	_ = m.dir.Close()
	_ = m.stat.Close()
}

// Close releases the descriptors. The Process must not be used afterwards.
func (p *Process) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.members {
		m.close()
	}
	p.members = nil
	return nil
}

// PID returns the ID of the first process that was given to Open.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.members) == 0 {
		return 0
	}
	return p.members[0].pid
}

// Command returns the command line that the first process had when Open was called, quoted for a
// shell where necessary. It may contain secrets from flags.
func (p *Process) Command() string { return p.command }

// Build returns the module, version and compiler of the first process, if it is a Go program:
// "example.com/server v1.2.3 go1.26.8". Otherwise it is empty.
func (p *Process) Build() string { return p.build }

// Notes returns what could not be read, and why: each thing once.
func (p *Process) Notes() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.notes...)
}

// note is called with mu held, or before p is shared.
func (p *Process) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, n := range p.notes {
		if n == text {
			return
		}
	}
	p.notes = append(p.notes, text)
}

// AwaitExit returns when all processes have ended, or with the error of ctx. It is woken up by the
// end itself, so it returns without delay.
func (p *Process) AwaitExit(ctx context.Context) error {
	p.mu.Lock()
	members := append([]*member(nil), p.members...)
	p.mu.Unlock()
	for _, m := range members {
		if err := m.awaitExit(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (m *member) awaitExit(ctx context.Context) error {
	fd, err := unix.PidfdOpen(m.pid, 0)
	if err == unix.ESRCH {
		return nil
	}
	if err != nil {
		return fmt.Errorf("observe: process %d: pidfd_open: %w", m.pid, err)
	}
	defer unix.Close(fd)
	if _, alive := m.readStat(); !alive {
		return nil // fd may belong to another process with the same ID
	}
	for {
		// A pidfd is readable once the process has ended, whether reaped or not (pidfd_open(2)).
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 20)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("observe: process %d: poll: %w", m.pid, err)
		}
		if n > 0 {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

func commandOf(pid int) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil || len(b) == 0 {
		return ""
	}
	words := strings.Split(strings.TrimRight(string(b), "\x00"), "\x00")
	for i, w := range words {
		if w == "" || strings.ContainsAny(w, " \t\n\"'\\$`*?[]{}()<>|&;#!~") {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

func (p *Process) buildOf(pid int) string {
	info, err := buildinfo.ReadFile("/proc/" + strconv.Itoa(pid) + "/exe")
	if err != nil {
		if errors.Is(err, os.ErrPermission) {
			p.note("the program of process %d could not be read: %v", pid, errors.Unwrap(err))
		}
		return ""
	}
	path, version := info.Main.Path, info.Main.Version
	if path == "" {
		path = info.Path
	}
	if version == "" {
		version = "(devel)"
	}
	return path + " " + version + " " + info.GoVersion
}

// cpuClock returns the ID of the clock of a process's processor time (include/linux/posix-timers.h,
// as computed by clock_getcpuclockid(3)).
func cpuClock(pid int) int32 {
	const cpuclockSched = 2
	return int32(^pid<<3 | cpuclockSched)
}

// cpu returns the processor time of all threads, including those that have ended.
func (m *member) cpu() (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(cpuClock(m.pid), &ts); err != nil {
		return 0, err
	}
	return time.Duration(ts.Nano()), nil
}
