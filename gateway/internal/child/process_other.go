//go:build unix && !linux

package child

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A spawner starts processes. Without Linux's parent-death signal and subreapers, only the end of
// their standard input tells children that this process has died.
type spawner struct{ orphansEvery time.Duration }

func (*spawner) start(file string, argv []string, attr *os.ProcAttr) (*os.Process, error) {
	attr.Sys = &syscall.SysProcAttr{Setpgid: true}
	return os.StartProcess(file, argv, attr)
}

func (*spawner) stop() {}

// await waits for the process and reaps it. It sends SIGTERM to the rest of its group.
func (p *process) await() {
	_, status := waitFor(p.pid, 0)
	p.mu.Lock()
	p.reaped, p.status = true, status
	p.mu.Unlock()
	_ = unix.Kill(-p.pid, unix.SIGTERM)
}

// reapGroup has nothing to reap: orphans go to init.
func (p *process) reapGroup() {}
