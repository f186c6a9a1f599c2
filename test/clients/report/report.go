// Package report is what the Go clients in this directory share: one printed line per client and
// step, a time limit for each step, and the checks of the built-in tools' answers.
package report

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"
)

// What every client requests.
const (
	Clock    = "mooring://clock"
	Revision = "2026-07-28"

	Elicitation = "2025-06-18" // the first revision with elicitation
	Structured  = "2025-06-18" // the first revision with structuredContent
	Question    = "Who is there?"
	// Answer is from the tool ask, after Ship has answered the question.
	Answer = "Öresund moors at the south quay."
)

// Ship is the user's answer.
func Ship() map[string]any { return map[string]any{"name": "Öresund", "berth": "south"} }

// Asked checks that the client was asked Question, once.
func Asked(questions <-chan string) error {
	if n := len(questions); n != 1 {
		return fmt.Errorf("asked %d times, want once", n)
	}
	if got := <-questions; got != Question {
		return fmt.Errorf("asked %q, want %q", got, Question)
	}
	return nil
}

// Tools are the built-in tools that must be listed, in any order and possibly among others.
var Tools = [...]string{"add", "ask", "countdown", "echo", "toggle"}

// stepLimit limits each step.
const stepLimit = 20 * time.Second

// A Report prints the steps of one client. Its methods must be called from one goroutine.
type Report struct {
	Client string
	failed int
}

// Step runs f under the time limit, prints the outcome and reports whether it succeeded. A step
// that ignores its context past the limit ends the process, because the next steps would be
// meaningless.
func (r *Report) Step(name string, f func(ctx context.Context) error) bool {
	ctx, cancel := context.WithTimeout(context.Background(), stepLimit)
	defer cancel()
	begin := time.Now()
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	var err error
	select {
	case err = <-done:
	case <-time.After(stepLimit + time.Second):
		r.print("FAIL", name, "still running at the time limit")
		os.Exit(1)
	}
	if err != nil {
		r.failed++
		r.print("FAIL", name, err.Error())
		return false
	}
	r.print("ok", name, time.Since(begin).Round(time.Millisecond).String())
	return true
}

func (r *Report) print(verdict, name, detail string) {
	fmt.Printf("%-5s%-24s%-34s%s\n", verdict, r.Client, name, detail)
}

// Exit ends the process with 0 if every step succeeded, otherwise with 1.
func (r *Report) Exit() {
	if r.failed > 0 {
		os.Exit(1)
	}
	os.Exit(0)
}

// Listed checks that all of Tools are among names.
func Listed(names []string) error {
	for _, tool := range Tools {
		if !slices.Contains(names, tool) {
			return fmt.Errorf("want tool %s, got %q", tool, names)
		}
	}
	return nil
}

// Extra checks that the tool extra is listed exactly if it should be.
func Extra(names []string, want bool) error {
	if got := slices.Contains(names, "extra"); got != want {
		return fmt.Errorf("tool extra listed: %t, want %t (%q)", got, want, names)
	}
	return nil
}

// Sum checks the output of the tool add: in structuredContent, or in the text at revisions without
// it.
func Sum(revision string, structured any, text string, want int) error {
	output := []byte(text)
	if revision >= Structured {
		var err error
		if output, err = json.Marshal(structured); err != nil {
			return err
		}
	} else if structured != nil {
		return fmt.Errorf("want no structuredContent at %s, got %v", revision, structured)
	}
	var out struct {
		Sum *int `json:"sum"`
	}
	if err := json.Unmarshal(output, &out); err != nil || out.Sum == nil || *out.Sum != want {
		return fmt.Errorf("want the sum %d, got %s", want, output)
	}
	return nil
}

// Await receives n values from c before ctx ends.
func Await[T any](ctx context.Context, c <-chan T, n int, what string) error {
	for i := range n {
		select {
		case <-c:
		case <-ctx.Done():
			return fmt.Errorf("%s: %d of %d arrived within the time limit", what, i, n)
		}
	}
	return nil
}

// Drain empties c without waiting.
func Drain[T any](c <-chan T) {
	for {
		select {
		case <-c:
		default:
			return
		}
	}
}
