package main

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// asMain makes the test binary the command.
const asMain = "MOORING_TEST_AS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), asMain+"=1")
	return cmd
}

func TestABusyPortIsOneLineAndExit1(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	_, err = command(t, "--listen", busy.Addr().String()).Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || strings.Count(string(exit.Stderr), "\n") != 1 {
		t.Errorf("%v, want exit 1 and one line", err)
	}
}

func TestItServesUntilSIGTERM(t *testing.T) {
	cmd := command(t, "--listen", "127.0.0.1:0", "--sse-path", "/sse")
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(pipe).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "serving ")
	if err != nil || !ok {
		_ = cmd.Process.Kill()
		t.Fatalf("printed %q, %v", line, err)
	}
	resp, err := http.Get(url)
	if err != nil {
		t.Error(err)
	} else if resp.Body.Close(); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("GET without a session: %s, want 400", resp.Status)
	}
	resp, err = http.Get(strings.TrimSuffix(url, "/mcp") + "/sse")
	if err != nil {
		t.Error(err)
	} else {
		event, _ := bufio.NewReader(resp.Body).ReadString('\n')
		if resp.Body.Close(); event != "event: endpoint\n" {
			t.Errorf("HTTP+SSE begins with %q", event)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
}
