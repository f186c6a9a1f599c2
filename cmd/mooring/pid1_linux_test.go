package main

import (
	"os"
	"syscall"
	"testing"
	"time"
)

// TestSignalsAsTheFirstProcess checks that signals end a server that is the first process of a
// container. Signals have no default action there: the kernel discards those without a handler.
func TestSignalsAsTheFirstProcess(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root for a PID namespace")
	}
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		cmd := command(t, nil, "serve", "--listen", "127.0.0.1:0")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
		p := start(t, cmd)
		begin := time.Now()
		p.signal(sig)
		if code := p.wait(); code != 0 {
			t.Errorf("%v: exit %d after %v: %s", sig, code, time.Since(begin), p.output())
		}
	}
}
