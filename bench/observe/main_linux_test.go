package observe

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asChild makes the test binary a process to observe.
const asChild = "MOORING_OBSERVE_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(asChild) != "" {
		serveChild()
		return
	}
	os.Exit(m.Run())
}

// serveChild does what the lines of its input say, and answers each with a line.
func serveChild() {
	var memory [][]byte
	var files []*os.File
	var conns []net.Conn
	var l net.Listener
	lines := bufio.NewScanner(os.Stdin)
	fmt.Println("ready")
	for lines.Scan() {
		word, arg, _ := strings.Cut(lines.Text(), " ")
		n, _ := strconv.Atoi(arg)
		answer := "ok"
		switch word {
		case "hold": // n MB, which it touches
			b, err := syscall.Mmap(-1, 0, n<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
			if err != nil {
				answer = err.Error()
				break
			}
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			memory = append(memory, b)
		// N ms of processor time in a thread that ends; answers with the thread's own measurement.
		case "burn":
			took := make(chan int64)
			go func() {
				runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
				before := threadTime() // the thread may have run other goroutines before
				for threadTime()-before < int64(n)*1e6 {
				}
				took <- threadTime() - before
			}()
			answer = fmt.Sprint(<-took)
		case "open": // n descriptors
			for range n {
				f, err := os.Open(os.DevNull)
				if err != nil {
					answer = err.Error()
					break
				}
				files = append(files, f)
			}
		case "listen":
			var err error
			if l, err = net.Listen("tcp", arg); err != nil {
				answer = err.Error()
				break
			}
			answer = l.Addr().String()
		case "accept": // n connections, which it keeps
			for range n {
				c, err := l.Accept()
				if err != nil {
					answer = err.Error()
					break
				}
				conns = append(conns, c)
			}
		case "fork": // a child that has the listening socket too
			f, err := l.(*net.TCPListener).File()
			if err != nil {
				answer = err.Error()
				break
			}
			cmd := exec.Command(os.Args[0])
			cmd.Stdin, cmd.ExtraFiles = newPipe(), []*os.File{f}
			if err := cmd.Start(); err != nil {
				answer = err.Error()
				break
			}
			answer = strconv.Itoa(cmd.Process.Pid)
		case "close":
			for _, c := range conns {
				c.Close()
			}
			conns = nil
		}
		fmt.Println(answer)
	}
	runtime.KeepAlive(memory)
	runtime.KeepAlive(files)
}

// newPipe returns an end that nobody writes to and that reads EOF when this process has ended.
func newPipe() *os.File {
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	syscall.CloseOnExec(int(w.Fd()))
	return r
}

// A child is a process that the test controls.
type child struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startChild(t *testing.T, args ...string) *child {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{t: t, cmd: exec.Command(exe, args...)}
	c.cmd.Env = append(os.Environ(), asChild+"=1")
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.end)
	c.line()
	return c
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) end() {
	c.in.Close()
	_ = c.cmd.Wait()
}

func (c *child) line() string {
	c.t.Helper()
	line, err := c.out.ReadString('\n')
	if err != nil {
		c.t.Fatalf("the child: %v", err)
	}
	return strings.TrimSpace(line)
}

func (c *child) do(format string, args ...any) string {
	c.t.Helper()
	fmt.Fprintf(c.in, format+"\n", args...)
	return c.line()
}

// until waits until f returns true.
func until(t *testing.T, why string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !f(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", why)
		}
	}
}
