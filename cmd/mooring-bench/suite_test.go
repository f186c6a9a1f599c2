//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/bench/result"
)

// list writes a list of one server that runs a shell command, and returns its name and directory.
func list(t *testing.T, command string) (name, dir string) {
	t.Helper()
	dir = t.TempDir()
	name = filepath.Join(dir, "list.json")
	text := fmt.Sprintf(`{"peers":[{"name":"a","label":"A","command":"/bin/sh","args":["-c",%q],"url":"http://127.0.0.1:{port}/","health":"http://127.0.0.1:{port}/h",
		"scenarios":{"idle":["plain"],"storm":["plain"]}}]}`, command)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name, dir
}

// TestSuiteTellsWhatFailed checks that a comparison in which a server could not be measured is
// still presented and written, but is not a success.
func TestSuiteTellsWhatFailed(t *testing.T) {
	name, dir := list(t, "echo sunk; exit 1")
	out, err := execute(t, "suite", name, "--dir", dir, "-q", "-o", dir+"/out.json", "--html", dir+"/out.html")
	if err == nil || errors.Is(err, errCrossed) {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"not finished: idle: ", "; storm: ", "sunk"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	if !strings.Contains(out, "NOT FINISHED") {
		t.Errorf("nothing was presented:\n%s", out)
	}
	runs, err := result.ReadRuns(dir + "/out.json")
	if err != nil || len(runs) != 1 || len(runs[0].Scenarios) != 2 {
		t.Errorf("the file: %v, %v", runs, err)
	}
	two := []*result.Run{runs[0], {Server: result.Server{Label: "B", Era: "modern"}, Scenarios: []result.Scenario{{Name: "call"}, {Name: "churn", Error: "x"}}}}
	if err := unfinished(two...); err == nil || !strings.HasSuffix(err.Error(), "; B, modern, churn: x") || !strings.HasPrefix(err.Error(), "not finished: A, plain, idle: ") {
		t.Errorf("of two servers: %v", err)
	}
	if err := unfinished(&result.Run{Scenarios: []result.Scenario{{Name: "idle", Skipped: "x"}}}); err != nil {
		t.Errorf("what is skipped: %v", err)
	}
}

// TestSecondInterrupt checks that a second signal ends the program at once while it waits for a
// server to exit.
func TestSecondInterrupt(t *testing.T) {
	name, dir := list(t, `trap "" TERM; echo $$ >pid.new; mv pid.new pid; while :; do sleep 1; done`)
	var out bytes.Buffer
	cmd := exec.Command(os.Args[0], "suite", name, "--dir", dir)
	cmd.Env = append(os.Environ(), asMain+"=1")
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	server := 0
	for end := time.Now().Add(20 * time.Second); server == 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		b, _ := os.ReadFile(dir + "/pid")
		server, _ = strconv.Atoi(strings.TrimSpace(string(b)))
	}
	if server == 0 {
		_ = cmd.Process.Kill()
		t.Fatalf("no server: %v\n%s", <-done, out.Bytes())
	}
	// The server is a group of its own.
	defer func() { _ = syscall.Kill(-server, syscall.SIGKILL) }()
	_ = cmd.Process.Signal(os.Interrupt)
	select {
	case err := <-done:
		t.Fatalf("the first signal did not wait for the server: %v\n%s", err, out.Bytes())
	case <-time.After(time.Second):
	}
	_ = cmd.Process.Signal(os.Interrupt)
	select {
	case err := <-done:
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGINT {
			t.Errorf("ended with %v\n%s", err, out.Bytes())
		}
	case <-time.After(5 * time.Second):
		t.Error("the second signal did not end it")
		_ = cmd.Process.Kill()
		<-done
	}
}
