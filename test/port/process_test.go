package port

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// A process is a program that runs, or can be run.
type process struct {
	bin string
	url string // of a program that serves HTTP

	stderr lockedBuffer
	host   string
}

// command returns the program as a command, for clients that start it themselves.
func (p *process) command() *exec.Cmd {
	cmd := exec.Command(p.bin)
	cmd.Stderr = &p.stderr
	return cmd
}

// serve starts the program with an address, and waits until it accepts connections. It is killed
// when the test ends.
func (p *process) serve(t *testing.T) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p.host = ln.Addr().String()
	_ = ln.Close()
	p.url = "http://" + p.host
	cmd := p.command()
	cmd.Env = append(os.Environ(), "ADDR="+p.host)
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	late := time.After(10 * time.Second)
	for {
		if c, err := net.Dial("tcp", p.host); err == nil {
			return c.Close()
		}
		select {
		case err := <-ended:
			ended <- err
			return fmt.Errorf("it ended: %v", err)
		case <-late:
			return fmt.Errorf("it does not accept connections at %s", p.host)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// A lockedBuffer keeps the last of what a process writes.
type lockedBuffer struct {
	mu   sync.Mutex
	text []byte
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, p...)
	if len(b.text) > 64<<10 {
		b.text = b.text[len(b.text)-32<<10:]
	}
	return len(p), nil
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.text)
}
