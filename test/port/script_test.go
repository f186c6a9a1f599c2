package port

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// The eras in which programs are driven.
const (
	modern = "2026-07-28"
	legacy = "2025-11-25"
)

// A step is a line of a script.
type step struct {
	text string   // the line
	era  string   // the only era in which the step is taken, or ""
	verb string   // its first word
	args []string // the words that follow
	json string   // the object at its end, or ""
	want int      // how many notifications to wait for
}

var notifications = regexp.MustCompile(`\s+\+(\d+)$`)

// readScript reads a script:
//
//	stdio | http PATH | sse PATH | self   how the program is reached; the first line
//	connect http|sse PATH                 end the connection and make another
//	legacy STEP | modern STEP             a step for one era
//	STEP +3                               wait for three notifications
//	list tools|prompts|resources|templates
//	call TOOL {…}                         + in the name stands for a space
//	progress TOOL {…}                     the same with a progress token
//	loglevel call TOOL {…} LEVEL          the same with a level in _meta
//	cancel TOOL {…}                       cancel the call after its first notification
//	meta NAME VALUE                       for the calls that follow
//	read URI, subscribe URI, unsubscribe URI, root add URI
//	prompt NAME {…}, complete prompt|resource NAME ARGUMENT VALUE {…}
//	level LEVEL, ping, custom METHOD {…}
//	answer {…}                            what the user answers from now on
//	header NAME: VALUE                    for the requests that follow
//	pause                                 for a moment
//	GET PATH                              or another method: a request without the client
func readScript(program string) ([]step, error) {
	text, err := os.ReadFile(filepath.Join("programs", program, "script.txt"))
	if err != nil {
		return nil, err
	}
	var steps []step
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		s := step{text: line}
		if m := notifications.FindStringSubmatch(line); m != nil {
			s.want, _ = strconv.Atoi(m[1])
			line = strings.TrimSuffix(line, m[0])
		}
		if rest, ok := strings.CutPrefix(line, "legacy "); ok {
			s.era, line = legacy, rest
		} else if rest, ok := strings.CutPrefix(line, "modern "); ok {
			s.era, line = modern, rest
		}
		if i := strings.Index(line, " {"); i >= 0 {
			end := strings.LastIndex(line, "}") + 1
			s.json = line[i+1 : end]
			line = line[:i] + line[end:]
		}
		words := strings.Fields(line)
		s.verb, s.args = words[0], words[1:]
		steps = append(steps, s)
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("%s has an empty script", program)
	}
	return steps, nil
}

// name returns the i-th argument, with spaces for +.
func (s *step) name(i int) string { return strings.ReplaceAll(s.arg(i), "+", " ") }

func (s *step) arg(i int) string {
	if i < len(s.args) {
		return s.args[i]
	}
	return ""
}
