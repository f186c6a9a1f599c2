//go:build unix

package suite

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// A process is a server that was started here and is ended here, with everything that it has
// started.
type process struct {
	cmd  *exec.Cmd
	out  tail
	done chan struct{}
}

const (
	startTime = 30 * time.Second // limit for a server to become ready
	stopTime  = 15 * time.Second // limit for it to exit after SIGTERM
	pipeTime  = 5 * time.Second  // limit for its children to close its output, once it has exited
)

// start starts s and returns when it answers its health check.
func (s *Server) start(ctx context.Context, dir string) (*process, error) {
	p := &process{cmd: exec.Command(s.Command, s.Args...), done: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Env = append(os.Environ(), s.Env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	// A descendant in a group of its own is not ended here, and may keep the pipe forever.
	p.cmd.WaitDelay = pipeTime
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("suite: %s: %w (build it: %s)", s.Name, err, s.Build)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for end := time.Now().Add(startTime); ; {
		if resp, err := client.Get(s.Health); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return p, nil
			}
		}
		select {
		case <-p.done:
			return nil, fmt.Errorf("suite: %s exited at once: %s", s.Name, p.out.text())
		case <-ctx.Done():
			p.stop()
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
			if time.Now().After(end) {
				p.stop()
				return nil, fmt.Errorf("suite: %s does not answer %s: %s", s.Name, s.Health, p.out.text())
			}
		}
	}
}

// stop ends the process with SIGTERM, and its group with SIGKILL.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(stopTime):
	}
	// The group keeps this number as long as any of it is left.
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
}

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const tailSize = 4 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Write(b)
	if over := t.buf.Len() - tailSize; over > 0 {
		_, _ = io.CopyN(io.Discard, &t.buf, int64(over))
	}
	return len(b), nil
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}

// freePort returns a port that was free a moment ago.
func freePort() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("suite: %w", err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}
