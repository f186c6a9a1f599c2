package examples_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// programs is the folder of the built examples, empty before the first test needs them.
var programs string

func TestMain(m *testing.M) {
	code := m.Run()
	if programs != "" {
		_ = os.RemoveAll(programs)
	}
	os.Exit(code)
}

// build builds all examples, once.
var build = sync.OnceValue(func() (err error) {
	// As must a change of an example: the cache sees which files a test reads.
	sources, err := filepath.Glob("*/*.go")
	if err != nil {
		return err
	}
	for _, file := range sources {
		if _, err := os.ReadFile(file); err != nil {
			return err
		}
	}
	if programs, err = os.MkdirTemp("", "examples"); err != nil {
		return err
	}
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", programs+"/", "./...").CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
})

// command returns the command that runs an example.
func command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return exec.Command(filepath.Join(programs, name), args...)
}

const wait = 30 * time.Second // for anything that should happen at once

// A program is an example that runs.
type program struct {
	t    *testing.T
	cmd  *exec.Cmd
	url  string   // that it printed first
	urls []string // that it printed
	done chan struct{}

	mu  sync.Mutex // guards log
	log strings.Builder
}

// start runs an example until the test ends, and waits until it has printed n URLs.
func start(t *testing.T, name string, n int, args ...string) *program {
	t.Helper()
	p := &program{t: t, done: make(chan struct{}), cmd: command(t, name, append([]string{"-listen", "127.0.0.1:0"}, args...)...)}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	printed := make(chan string, n)
	go func() {
		defer close(p.done)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			p.mu.Lock()
			fmt.Fprintln(&p.log, lines.Text())
			p.mu.Unlock()
			if _, url, ok := strings.Cut(lines.Text(), "serving MCP on "); ok {
				printed <- url
			}
		}
		_ = p.cmd.Wait() // its state says how it ended
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
	})
	for range n {
		select {
		case url := <-printed:
			p.urls = append(p.urls, url)
		case <-p.done:
			t.Fatalf("%s ended: %s", name, p.output())
		case <-time.After(wait):
			t.Fatalf("%s does not say where it serves: %s", name, p.output())
		}
	}
	p.url = p.urls[0]
	return p
}

func (p *program) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// awaitOutput waits until the program has printed text.
func (p *program) awaitOutput(text string) {
	p.t.Helper()
	for end := time.Now().Add(wait); !strings.Contains(p.output(), text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("it does not print %q, only:\n%s", text, p.output())
		}
	}
}

// stop sends SIGTERM and returns how the program ended.
func (p *program) stop() *os.ProcessState {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(wait):
		p.t.Fatalf("it does not end: %s", p.output())
	}
	return p.cmd.ProcessState
}

func (p *program) wantGracefulEnd() {
	p.t.Helper()
	if state := p.stop(); state.ExitCode() != 0 {
		p.t.Errorf("it ended with %v: %s", state, p.output())
	}
}
