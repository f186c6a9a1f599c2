package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// progressInterval is how often the progress of servers that start is looked at.
const progressInterval = 200 * time.Millisecond

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && f.Name() != os.DevNull
}

// isSettled reports whether a server has been connected to, or cannot be.
func (s *upstreamStatus) isSettled() bool {
	switch s.State {
	case "new", "connecting":
		return false
	}
	return true
}

// progress reports each server once it has been connected to, or cannot be: on a terminal with a
// line that says how many are still to come, and otherwise in the log. It returns when there is
// none left, or when ctx ends.
func (r *gatewayRun) progress(ctx context.Context) {
	terminal := isTerminal(r.stderr)
	told := map[string]bool{}
	look := time.NewTicker(progressInterval)
	defer look.Stop()
	for shown := ""; ; {
		var waits []string
		for _, s := range r.statuses() {
			switch {
			case told[s.Name]:
			case !s.isSettled():
				waits = append(waits, s.Name)
			default:
				told[s.Name] = true
				r.tell(&s, terminal, shown != "")
				shown = ""
			}
		}
		line := ""
		if n := len(waits); n > 0 {
			line = fmt.Sprintf("starting %s", strings.Join(waits[:min(n, 5)], ", "))
			if n > 5 {
				line += fmt.Sprintf(" and %d more", n-5)
			}
		}
		if terminal && line != shown {
			fmt.Fprintf(r.stderr, "\r\x1b[K%s", line)
			shown = line
		}
		if len(waits) == 0 {
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

// tell reports a server that has settled. Over says that a line of progress is on the terminal.
func (r *gatewayRun) tell(s *upstreamStatus, terminal, over bool) {
	if terminal {
		begin := ""
		if over {
			begin = "\r\x1b[K"
		}
		text := fmt.Sprintf("%s%s: %s", begin, s.Name, s.State)
		if s.State == "down" {
			text += ": " + s.LastError
		} else {
			text += fmt.Sprintf(", %s %s, %d tools", s.Era, s.Version, s.Tools)
		}
		fmt.Fprintln(r.stderr, text)
		return
	}
	if s.State == "down" {
		r.logger.Warn("server is not up", "server", s.Name, "err", s.LastError)
		return
	}
	r.logger.Info("server is up", "server", s.Name, "era", s.Era, "version", s.Version, "tools", s.Tools)
}

// explain returns an error of a server as its operator needs it: without the names of packages that
// it begins with.
func explain(text string) string {
	text = plain(text)
	for found := true; found; {
		found = false
		for _, prefix := range []string{"upstream: ", "connection lost: ", "child: ", "hop: ", "start: ", "exec: "} {
			if rest, ok := strings.CutPrefix(text, prefix); ok {
				text, found = rest, true
			}
		}
	}
	return strings.Replace(text, "executable file not found in $PATH", "command not found", 1)
}

// plain returns text of a server on one line, without control characters.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text)
	const limit = 500
	if runes := []rune(text); len(runes) > limit {
		text = string(runes[:limit]) + "…"
	}
	return strings.TrimSpace(text)
}
