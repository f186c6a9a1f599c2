package badserver

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
)

// environment names the variable that makes a test binary a server. Its value is the list of
// faults.
const environment = "MOORING_BADSERVER"

// MainIfAsked turns this process into a server if StartProcess has started it: it serves until
// SIGTERM and then exits. Otherwise it returns at once. TestMain must call it first.
func MainIfAsked() {
	text, asked := os.LookupEnv(environment)
	if !asked {
		return
	}
	if err := run(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(text string) error {
	list, err := parseFaults(text)
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	s, err := Start(list...)
	if err != nil {
		return err
	}
	fmt.Printf("listening on %s pid %d\n", s.URL, os.Getpid())
	// The server ends with the test, even if that crashes.
	orphaned := make(chan struct{})
	go func() {
		_, _ = bufio.NewReader(os.Stdin).ReadByte()
		close(orphaned)
	}()
	select {
	case <-signals:
	case <-orphaned:
		return nil
	}
	if s.faults[DropOnTerm] {
		return nil
	}
	return s.Shutdown()
}

// A Process is a server in a process of its own.
type Process struct {
	URL string // of the MCP endpoint
	PID int

	cmd *exec.Cmd
}

// StartProcess starts a server with these faults, by executing the test binary again, and ends it
// with the test.
func StartProcess(t testing.TB, list ...Fault) *Process {
	t.Helper()
	names := make([]string, len(list))
	for i, f := range list {
		names[i] = string(f)
	}
	if len(names) == 0 {
		names = []string{"good"}
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &Process{cmd: exec.Command(exe)}
	p.cmd.Env = append(os.Environ(), environment+"="+strings.Join(names, ","))
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = in.Close()
		_ = p.cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("badserver: the process reports no address; does TestMain call MainIfAsked? %v", err)
	}
	if _, err := fmt.Sscanf(line, "listening on %s pid %d\n", &p.URL, &p.PID); err != nil {
		t.Fatalf("badserver: %q: %v", line, err)
	}
	return p
}

// Terminate sends SIGTERM.
func (p *Process) Terminate() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
