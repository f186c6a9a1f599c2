//go:build linux

package server_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mooring-mcp/mooring/server"
)

const (
	childVariable = "MOORING_PROOF_CHILD" // the number of descriptors the child may have
	childRemote   = "MOORING_PROOF_REMOTE"
	childLimit    = 512 // descriptors, unless the test sets another number

	childListeners = 20 // more than the server enrols at once with so few descriptors
)

// TestProofChild is the process that runs out of descriptors. It reads commands from standard
// input, line by line, and answers each.
func TestProofChild(t *testing.T) {
	if os.Getenv(childVariable) == "" {
		t.Skip("runs only as a child of TestDescriptorsRunOut")
	}
	n, err := strconv.ParseUint(os.Getenv(childVariable), 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	limit := syscall.Rlimit{Cur: n, Max: n}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	p := serveProof(t, &server.Options{IdleTimeout: time.Hour, HeadTimeout: time.Hour})
	addr := p.addr
	if os.Getenv(childRemote) != "" { // to the server, such clients may be from anywhere
		l, err := p.Listen("0.0.0.0:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = p.Serve(l) }()
		addr = fmt.Sprintf("127.0.0.1:%d", l.Addr().(*net.TCPAddr).Port)
	}
	fmt.Printf("@%s\n", addr)
	for range childListeners {
		l, err := p.Listen("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = p.Serve(l) }()
		fmt.Printf("@%s\n", l.Addr())
	}
	var eaten []int
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		switch cmd := in.Text(); {
		case strings.HasPrefix(cmd, "eat "): // open descriptors until only so many are left
			var leave int
			_, _ = fmt.Sscanf(cmd, "eat %d", &leave)
			for {
				fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
				if err != nil {
					break
				}
				eaten = append(eaten, fd)
			}
			for ; leave > 0 && len(eaten) > 0; leave-- {
				_ = unix.Close(eaten[len(eaten)-1])
				eaten = eaten[:len(eaten)-1]
			}
			fmt.Printf("@%d\n", len(eaten))
		case cmd == "release":
			for _, fd := range eaten {
				_ = unix.Close(fd)
			}
			eaten = nil
			fmt.Println("@")
		case cmd == "report":
			r := childReport{CPU: processTime(), Bound: p.DescriptorBound()}
			st := p.Stats()
			r.Connections, r.AcceptErrors, r.Panics = st.Connections, st.AcceptErrors, st.Panics
			r.Streams, r.GaveWay = st.Streams, st.Closes["descriptors"]
			line, _ := json.Marshal(r)
			fmt.Printf("@%s\n", line)
		}
	}
}

type childReport struct {
	CPU          time.Duration
	Bound        int64
	Connections  int64
	AcceptErrors uint64
	Panics       uint64
	Streams      int64
	GaveWay      uint64
}

// processTime returns the CPU time of this process.
func processTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A proofChild is a server in a process of its own.
type proofChild struct {
	t    testing.TB
	in   io.Writer
	out  *bufio.Scanner
	addr string
	more []string // the addresses of the other listeners
}

func startChild(t *testing.T) *proofChild { return startChildWith(t, childLimit, false) }

func startChildWith(t *testing.T, limit int, remote bool) *proofChild {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestProofChild$", "-test.v")
	cmd.Env = append(os.Environ(), childVariable+"="+strconv.Itoa(limit))
	if remote {
		cmd.Env = append(cmd.Env, childRemote+"=1")
	}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &proofChild{t: t, in: in, out: bufio.NewScanner(out)}
	t.Cleanup(func() {
		_ = in.Close()
		for c.out.Scan() {
			if s := c.out.Text(); strings.Contains(s, "FAIL") || strings.Contains(s, "panic") || strings.Contains(s, "DATA RACE") {
				t.Errorf("child: %s", s)
			}
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("child: %v", err)
		}
	})
	c.addr = c.line()
	for range childListeners {
		c.more = append(c.more, c.line())
	}
	return c
}

// line returns the child's next answer.
func (c *proofChild) line() string {
	c.t.Helper()
	for c.out.Scan() {
		if s := c.out.Text(); strings.HasPrefix(s, "@") {
			return s[1:]
		}
	}
	c.t.Fatalf("the child has ended: %v", c.out.Err())
	return ""
}

func (c *proofChild) tell(format string, args ...any) string {
	c.t.Helper()
	if _, err := fmt.Fprintf(c.in, format+"\n", args...); err != nil {
		c.t.Fatal(err)
	}
	return c.line()
}

func (c *proofChild) report() (r childReport) {
	c.t.Helper()
	if err := json.Unmarshal([]byte(c.tell("report")), &r); err != nil {
		c.t.Fatal(err)
	}
	return r
}

// A childPeer is a client of the child.
type childPeer struct {
	net.Conn
	br *bufio.Reader
}

func (c *proofChild) dial() *childPeer {
	c.t.Helper()
	nc, err := net.DialTimeout("tcp", c.addr, patience)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { nc.Close() })
	return &childPeer{nc, bufio.NewReader(nc)}
}

// ask sends a request and returns an error unless the right answer arrives in time.
func (p *childPeer) ask(within time.Duration) error {
	if _, err := io.WriteString(p, callRequest(1, "add", `{"A":2,"B":3}`, "")); err != nil {
		return err
	}
	return p.answered(`"Sum":5`, within)
}

func (p *childPeer) answered(part string, within time.Duration) error {
	_ = p.SetReadDeadline(time.Now().Add(within))
	resp, err := http.ReadResponse(p.br, nil)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != 200 || !strings.Contains(string(b), part) {
		return fmt.Errorf("status %d: %s", resp.StatusCode, b)
	}
	return nil
}

// listen opens a stream.
func (p *childPeer) listen() error {
	if _, err := io.WriteString(p, listenRequest(1)); err != nil {
		return err
	}
	return p.acknowledged(patience)
}

// acknowledged reads the head and the first event of a stream. It returns an error unless that is
// the acknowledgement.
func (p *childPeer) acknowledged(within time.Duration) error {
	_ = p.SetReadDeadline(time.Now().Add(within))
	resp, err := http.ReadResponse(p.br, nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != 200 {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	if err == nil && !strings.Contains(line, "subscriptions/acknowledged") {
		err = fmt.Errorf("received %q, want the acknowledgement", line)
	}
	return err
}

// dropped counts the clients whose connection the server has ended.
func dropped(t testing.TB, peers []*childPeer) int {
	t.Helper()
	fds := make([]unix.PollFd, len(peers))
	for i, p := range peers {
		rc, err := p.Conn.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		_ = rc.Control(func(fd uintptr) { fds[i] = unix.PollFd{Fd: int32(fd), Events: unix.POLLRDHUP} })
	}
	if _, err := unix.Poll(fds, 0); err != nil && err != unix.EINTR {
		t.Fatal(err)
	}
	n := 0
	for _, f := range fds {
		if f.Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0 {
			n++
		}
	}
	return n
}

// wantQuiet fails the test if the child uses the CPU although it has nothing to do.
func (c *proofChild) wantQuiet(why string) {
	c.t.Helper()
	var share float64
	for range 3 { // the race detector and a busy machine distort the first second
		before, start := c.report(), time.Now()
		time.Sleep(time.Second)
		share = float64(c.report().CPU-before.CPU) / float64(time.Since(start))
		if share < 0.2 {
			c.t.Logf("%s: %.1f %% of a core", why, 100*share)
			return
		}
	}
	c.t.Errorf("%s: %.0f %% of a core, want below 20 %%", why, 100*share)
}

// TestDescriptorsRunOut: rules 14 and 19 of gnet, pain A1. With far more clients than
// descriptors, streams stay open, and clients that wait are not rejected but served when others
// leave.
func TestDescriptorsRunOut(t *testing.T) {
	c := startChildWith(t, childLimit, true)
	for _, addr := range c.more {
		askOn(t, "tcp", addr, getRequest("/healthz"), 200, "ok")
	}
	await(t, "all are gone", func() bool { return c.report().Connections == 0 })
	const crowd = 1500
	var peers []*childPeer
	for range crowd {
		peers = append(peers, c.dial())
	}
	served := peers[:100]
	for i, p := range served {
		if err := p.listen(); err != nil {
			t.Fatalf("client %d: %v", i, err)
		}
	}
	for _, p := range peers[100:] {
		if _, err := io.WriteString(p, listenRequest(1)); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "the server is full", func() bool { r := c.report(); return r.Connections >= r.Bound })
	c.wantQuiet("with 1,500 clients and 512 descriptors")
	r := c.report()
	if r.Connections < childLimit/2 || r.Connections > r.Bound+1 {
		t.Errorf("%d connections are served; the limit is %d, with %d descriptors", r.Connections, r.Bound, childLimit)
	}
	if n := dropped(t, peers); n > 0 {
		t.Errorf("%d of %d clients were dropped", n, len(peers))
	}
	for _, p := range served {
		_ = p.Close()
	}
	for i, p := range peers[100:] {
		if err := p.acknowledged(patience); err != nil {
			t.Fatalf("client %d, after others disconnected: %v", 100+i, err)
		}
		_ = p.Close()
	}
	await(t, "all are gone", func() bool { return c.report().Connections == 0 })
	if r := c.report(); r.Panics != 0 {
		t.Errorf("%d panics, want none", r.Panics)
	}
}

// TestHostTakesTheDescriptors: rule 19 of gnet. The host's own files take all remaining
// descriptors, so that accept itself fails, or what follows it. No client is dropped, no loop
// spins, and the server recovers by itself.
func TestHostTakesTheDescriptors(t *testing.T) {
	c := startChild(t)
	old := c.dial()
	if err := old.ask(patience); err != nil {
		t.Fatal(err)
	}
	for leave := range 4 {
		c.tell("eat %d", leave)
		var peers []*childPeer
		for range 200 {
			p := c.dial()
			if _, err := io.WriteString(p, callRequest(1, "add", `{"A":2,"B":3}`, "")); err != nil {
				t.Fatal(err)
			}
			peers = append(peers, p)
		}
		errs := c.report().AcceptErrors
		c.wantQuiet(fmt.Sprintf("%d descriptors left", leave))
		if n := dropped(t, peers); n > 0 {
			t.Errorf("%d descriptors left: %d of %d clients were dropped", leave, n, len(peers))
		}
		if err := old.ask(patience); err != nil {
			t.Fatalf("%d descriptors left: ask on an existing connection: %v", leave, err)
		}
		t.Logf("%d descriptors left: %d served, %d errors of accept, %d in the last second",
			leave, c.report().Connections, c.report().AcceptErrors, c.report().AcceptErrors-errs)
		c.tell("release")
		for i, p := range peers {
			if err := p.answered(`"Sum":5`, patience); err != nil {
				t.Fatalf("%d descriptors left: client %d, after descriptors became free: %v", leave, i, err)
			}
			_ = p.Close()
		}
		await(t, "all but one are gone", func() bool { return c.report().Connections == 1 })
	}
}
