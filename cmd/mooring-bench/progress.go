package main

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/mooring-mcp/mooring/bench/result"
)

// progress shows what is going on: on a terminal in one line that is overwritten, otherwise in
// lines.
type progress struct {
	out      *os.File
	terminal bool
	begin    time.Time

	mu    sync.Mutex
	shown bool
}

func newProgress(out *os.File) *progress {
	fi, err := out.Stat()
	return &progress{out: out, terminal: err == nil && fi.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb", begin: time.Now()}
}

func (p *progress) tell(scenario, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := fmt.Sprintf("%7.1f s  %-8s %s", time.Since(p.begin).Seconds(), scenario, result.Plain(text, 1000))
	if !p.terminal {
		fmt.Fprintln(p.out, line)
		return
	}
	fmt.Fprintf(p.out, "\r\x1b[K%.150s", line)
	p.shown = true
}

// end clears the progress line of a terminal.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
