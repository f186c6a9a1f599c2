package child

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A spawner starts processes on a thread of its own. The kernel sends the parent-death signal when
// the thread that started a process ends, so this one must live as long as the children.
type spawner struct {
	orphansEvery time.Duration // how often orphans are looked for
	once         sync.Once
	mu           sync.Mutex
	calls        chan func() // nil before the first start and after stop
	stopped      bool
}

// start starts file. It does not wait for the process.
func (s *spawner) start(file string, argv []string, attr *os.ProcAttr) (p *os.Process, err error) {
	s.once.Do(func() {
		// Orphans of the children's groups come to this process. Where that is forbidden, they go to
		// init, as on other systems.
		_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	})
	attr.Sys = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	done := make(chan struct{})
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		return nil, errClosed
	}
	if s.calls == nil {
		s.calls = make(chan func())
		go spawn(s.calls, s.orphansEvery)
	}
	s.calls <- func() {
		p, err = os.StartProcess(file, argv, attr)
		close(done)
	}
	s.mu.Unlock()
	<-done
	return p, err
}

func spawn(calls <-chan func(), orphansEvery time.Duration) {
	runtime.LockOSThread() // never unlocked: the thread ends with this function
	look := time.NewTicker(orphansEvery)
	defer look.Stop()
	var orphans zombies
	for {
		select {
		case call, ok := <-calls:
			if !ok {
				return
			}
			call()
		case <-look.C:
			orphans = reapOrphans(orphans)
		}
	}
}

// stop ends the thread. Children that are left are killed by the kernel. There are no more starts.
func (s *spawner) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	if s.calls != nil {
		close(s.calls)
		s.calls = nil
	}
}

// await waits for the process and reaps it. It sends SIGTERM to the rest of its group as
// long as the process is not reaped, because until then its ID, which is that of its group, cannot
// be used again.
func (p *process) await() {
	for errors.Is(unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return
	}
	_ = unix.Kill(-p.pid, unix.SIGTERM)
	_, status := waitFor(p.pid, 0)
	p.reaped, p.status = true, status
}

// reapGroup reaps the processes of the group that have ended and are children of this one: orphans,
// and the first process. It never waits for any child at all, which would steal those of others.
func (p *process) reapGroup() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		pid, status := waitFor(-p.pid, unix.WNOHANG)
		if pid <= 0 {
			return
		}
		if pid == p.pid {
			p.reaped, p.status = true, status
		}
	}
}
