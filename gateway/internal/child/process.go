//go:build unix

package child

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A process is the first process of a group, and its pipes.
type process struct {
	pid    int
	exited chan struct{} // closed when the process is reaped
	stdin  *os.File
	stdout *os.File
	stderr *os.File

	mu     sync.Mutex // held while the process is reaped, and while its group is signalled
	reaped bool
	status unix.WaitStatus
}

// startProcess starts the command of o as a group of its own. Only the wait for its end goes on in
// the background.
func startProcess(s *spawner, o *Options) (*process, error) {
	file, err := lookup(o.Command, o.Dir, o.Env)
	if err != nil {
		return nil, err
	}
	p := &process{exited: make(chan struct{})}
	theirs := make([]*os.File, 3)
	defer func() { closeFiles(theirs...) }()
	if theirs[0], p.stdin, err = os.Pipe(); err != nil {
		return nil, err
	}
	if p.stdout, theirs[1], err = os.Pipe(); err == nil {
		p.stderr, theirs[2], err = os.Pipe()
	}
	var started *os.Process
	if err == nil {
		argv := append([]string{o.Command}, o.Args...)
		started, err = s.start(file, argv, &os.ProcAttr{Dir: o.Dir, Env: environment(os.Environ(), o.Env), Files: theirs})
	}
	if err != nil {
		closeFiles(p.stdin, p.stdout, p.stderr)
		return nil, err
	}
	p.pid = started.Pid
	_ = started.Release() // await reaps it
	go func() {
		p.await()
		close(p.exited)
	}()
	return p, nil
}

func closeFiles(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close()
		}
	}
}

// signal sends sig to the group.
func (p *process) signal(sig unix.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = unix.Kill(-p.pid, sig)
}

// gone reports whether neither the process nor another of its group is left. Before p.exited is
// closed it is false.
func (p *process) gone() bool {
	select {
	case <-p.exited:
	default:
		return false
	}
	p.reapGroup()
	p.mu.Lock()
	defer p.mu.Unlock()
	return unix.Kill(-p.pid, 0) != nil
}

// awaitGone waits until gone is true, and reports false if it is not so within the time, or until
// hurry is closed.
func (p *process) awaitGone(within time.Duration, hurry <-chan struct{}) bool {
	timeout := time.NewTimer(within)
	defer timeout.Stop()
	for pause := time.Millisecond; !p.gone(); pause = min(2*pause, 20*time.Millisecond) {
		again := time.NewTimer(pause)
		select {
		case <-again.C:
			continue
		case <-timeout.C:
		case <-hurry:
		}
		again.Stop()
		return false
	}
	return true
}

// exitError says how the process ended. It is called when p.exited is closed.
func (p *process) exitError() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.status.Signaled() {
		return fmt.Errorf("signal: %s", p.status.Signal())
	}
	return fmt.Errorf("exit status %d", p.status.ExitStatus())
}

// waitFor is wait4(2), repeated if a signal interrupts it.
func waitFor(pid, options int) (ended int, status unix.WaitStatus) {
	for {
		ended, err := unix.Wait4(pid, &status, options, nil)
		if !errors.Is(err, unix.EINTR) {
			return ended, status
		}
	}
}
