package peers

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// root is the root of the repository, where commands are started.
const root = "../.."

// shutdownTimeout replaces the peers' ten seconds, so that the test is short.
const shutdownTimeout = 2 * time.Second

// A process is a running peer.
type process struct {
	t    *testing.T
	peer Peer
	cmd  *exec.Cmd
	done chan error // receives the end of the process, once
}

// start runs the peer until the test ends, or skips the test if it is not built.
func start(t *testing.T, p Peer) *process {
	t.Helper()
	path := findCommand(t, p)
	p = p.At(freePort(t))
	timeout := "--shutdown-timeout"
	if p.Kind == "mooring" {
		timeout = "--drain-timeout"
	}
	cmd := exec.Command(path, append(p.Args, timeout, shutdownTimeout.String())...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), p.Env...)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first := make(chan string, 1)
	pr := &process{t: t, peer: p, cmd: cmd, done: make(chan error, 1)}
	go func() {
		lines := bufio.NewReader(out)
		line, _ := lines.ReadString('\n')
		first <- strings.TrimSpace(line)
		_, _ = io.Copy(io.Discard, lines)
		pr.done <- cmd.Wait()
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	pr.awaitHealth()
	if p.Kind != "mooring" {
		pr.checkReady(<-first)
	}
	return pr
}

// findCommand returns the file to run, or skips the test and says how to get it.
func findCommand(t *testing.T, p Peer) string {
	t.Helper()
	if p.Command == "node" {
		path, err := exec.LookPath("node")
		if err != nil {
			t.Skipf("SKIPPED: %s is not tested: %v", p.Name, err)
		}
		if _, err := os.Stat("typescript/node_modules/@modelcontextprotocol/server"); err != nil {
			t.Skipf("SKIPPED: %s is not tested: its packages are missing (%s)", p.Name, p.Build)
		}
		return path
	}
	path, err := filepath.Abs(filepath.Join(root, p.Command))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIPPED: %s is not tested: it is not built (%s)", p.Name, p.Build)
	}
	if p.Name == "nchan" {
		if _, err := os.Stat("/usr/lib/nginx/modules/ngx_nchan_module.so"); err != nil {
			t.Skipf("SKIPPED: %s is not tested: its module is not installed (INSTALL=1 %s)", p.Name, p.Build)
		}
	}
	return path
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (p *process) awaitHealth() {
	p.t.Helper()
	last := error(nil)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-p.done:
			p.t.Fatalf("the process exited before it was ready: %v", err)
		default:
		}
		res, err := http.Get(p.peer.Health)
		if err != nil {
			last = err
			continue
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			p.t.Fatalf("GET %s: %s", p.peer.Health, res.Status)
		}
		return
	}
	p.t.Fatalf("not ready after 20 s: %v", last)
}

var readyLine = regexp.MustCompile(`^listening on (http://\S+/mcp) pid (\d+)$`)

// checkReady checks that the line names the URL and a process that exists.
func (p *process) checkReady(line string) {
	p.t.Helper()
	m := readyLine.FindStringSubmatch(line)
	if m == nil || m[1] != p.peer.URL {
		p.t.Fatalf("the process printed %q, want the URL %s and a pid", line, p.peer.URL)
	}
	pid, err := strconv.Atoi(m[2])
	if err != nil {
		p.t.Fatal(err)
	}
	// The peer nchan names its child, the master of nginx; the others name themselves.
	if p.peer.Name != "nchan" && pid != p.cmd.Process.Pid {
		p.t.Errorf("the process printed pid %d, but is %d", pid, p.cmd.Process.Pid)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		p.t.Errorf("pid %d: %v", pid, err)
	}
}

// terminate sends SIGTERM and returns how long the process took to exit. It must do so within
// bound, and with code 0.
func (p *process) terminate(bound time.Duration) time.Duration {
	p.t.Helper()
	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	select {
	case err := <-p.done:
		if err != nil {
			p.t.Errorf("after SIGTERM: %v", err)
		}
	case <-time.After(bound):
		p.t.Errorf("still running %v after SIGTERM", bound)
	}
	if _, err := net.DialTimeout("tcp4", strings.TrimSuffix(strings.TrimPrefix(p.peer.URL, "http://"), "/mcp"), time.Second); err == nil {
		p.t.Error("connections are still accepted after SIGTERM")
	}
	return time.Since(began)
}

func (p *process) String() string { return fmt.Sprintf("%s at %s", p.peer.Name, p.peer.URL) }
