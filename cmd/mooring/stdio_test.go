package main

import (
	"bufio"
	"bytes"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A stdioProcess is `mooring serve --stdio` in a process, with both ends of its pipes.
type stdioProcess struct {
	t      *testing.T
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr bytes.Buffer
}

func startStdio(t *testing.T, args ...string) *stdioProcess {
	t.Helper()
	p := &stdioProcess{t: t, cmd: command(t, nil, append([]string{"serve", "--stdio"}, args...)...)}
	p.cmd.Stderr = &p.stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

// ask sends a line and reads one that has the parts.
func (p *stdioProcess) ask(line string, parts ...string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
	p.want(parts...)
}

func (p *stdioProcess) want(parts ...string) {
	p.t.Helper()
	got, err := p.out.ReadString('\n')
	for _, part := range parts {
		if err != nil || !strings.Contains(got, part) {
			p.t.Fatalf("got %q, %v, want %q", got, err, part)
		}
	}
}

// wantExit waits for the end of the process, and checks that nothing else was written.
func (p *stdioProcess) wantExit(within time.Duration) {
	p.t.Helper()
	begin := time.Now()
	rest, _ := io.ReadAll(p.out)
	if err := p.cmd.Wait(); err != nil || len(rest) > 0 || time.Since(begin) > within {
		p.t.Errorf("after %v: %v, wrote %q; standard error: %s", time.Since(begin), err, rest, &p.stderr)
	}
}

const (
	stdioMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`
	countdown = `{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"countdown","arguments":{"seconds":60},` + stdioMeta + `}}`
)

func TestStdio(t *testing.T) {
	p := startStdio(t, "--max-body", "1KiB")
	p.ask(`{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{`+stdioMeta+`}}`, `"id":1`, `"2026-07-28"`)
	p.ask(`{"jsonrpc":"2.0","id":2,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`, `"id":2`, `"2025-11-25"`)
	p.ask(`{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"echo","arguments":{"text":"ahoy"}}}`, `"id":3`, `ahoy`)
	p.ask(`{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"echo","arguments":{"text":"ahoy"},`+stdioMeta+`}}`, `"id":4`, `"resultType"`, `ahoy`)
	p.ask(strings.Repeat("x", 2000), "-32600")
	p.ask("{", "-32700")
	if _, err := io.WriteString(p.in, countdown+"\n"); err != nil {
		t.Fatal(err)
	}
	p.ask(`{"jsonrpc":"2.0","id":5,"method":"ping"}`, `"id":5`)
	p.in.Close() // the call that runs is answered, with an error
	p.want(`"id":9`)
	p.wantExit(5 * time.Second)
}

func TestStdioEndsWithASignal(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		p := startStdio(t)
		p.ask(`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},`+stdioMeta+`}}`, `acknowledged`)
		if err := p.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		p.want(`"id":1,"result"`)
		p.wantExit(5 * time.Second)
	}
}
