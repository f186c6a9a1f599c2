package result

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// MaxBytes is the size of the largest document that Read accepts, far above what a run of all
// scenarios writes.
const MaxBytes = 16 << 20

// Read reads one document and nothing after it. It rejects one that is larger than MaxBytes, of
// another Format, or not valid (see [Run.Validate]). It ignores unknown members, because the format
// may grow.
func Read(r io.Reader) (*Run, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("result: %w", err)
	}
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("result: more than %d MiB", MaxBytes>>20)
	}
	var head struct {
		Format *string `json:"format"`
	}
	switch err := json.Unmarshal(text, &head); {
	case err != nil:
		return nil, fmt.Errorf("result: not a document of a benchmark run: %w", err)
	case head.Format == nil:
		return nil, errors.New("result: not a document of a benchmark run: it names no format")
	case *head.Format != Format:
		return nil, fmt.Errorf("result: unknown format %.40q; this version reads %q", *head.Format, Format)
	}
	if err := checkLists(text); err != nil {
		return nil, err
	}
	run := new(Run)
	if err := json.Unmarshal(text, run); err != nil {
		return nil, fmt.Errorf("result: %w", err)
	}
	if err := run.Validate(); err != nil {
		return nil, err
	}
	return run, nil
}

// checkLists rejects a document whose lists are too long before their elements, which may have two
// bytes each, become structs of hundreds.
func checkLists(text []byte) error {
	var run struct {
		Scenarios []json.RawMessage `json:"scenarios"`
	}
	if err := json.Unmarshal(text, &run); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	if len(run.Scenarios) > maxScenarios {
		return fmt.Errorf("result: more than %d scenarios", maxScenarios)
	}
	for _, text := range run.Scenarios {
		var s struct {
			Params, Figures, Series, Distributions, Findings, Notes []json.RawMessage
		}
		if err := json.Unmarshal(text, &s); err != nil {
			return fmt.Errorf("result: %w", err)
		}
		if err := checkLengths(len(s.Params), len(s.Figures), len(s.Series), len(s.Distributions), len(s.Findings), len(s.Notes)); err != nil {
			return fmt.Errorf("result: a scenario has %w", err)
		}
	}
	return nil
}

// ReadFile reads the document in a file. Its errors name the file.
func ReadFile(name string) (*Run, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("result: %w", err)
	}
	defer f.Close()
	run, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return run, nil
}

// Write writes the document as indented JSON. It sets the format if it is empty. It rejects a run
// that is not valid, and then writes nothing.
func Write(w io.Writer, run *Run) error {
	run = complete(run)
	if err := run.Validate(); err != nil {
		return err
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(run); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	if _, err := w.Write(joinPoints(text.Bytes())); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	return nil
}

// WriteFile writes the document to a file as a whole or not at all: another process that reads the
// file meanwhile finds either the old document or the new one. The file is readable by all, subject
// to the umask.
func WriteFile(name string, run *Run) error {
	return writeWhole(name, func(w io.Writer) error { return Write(w, run) })
}

// writeWhole writes a file as a whole or not at all.
func writeWhole(name string, write func(io.Writer) error) (err error) {
	f, err := createBeside(name)
	if err != nil {
		return fmt.Errorf("result: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err = write(f); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	if err = f.Close(); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	if err = os.Rename(f.Name(), name); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	return nil
}

// createBeside creates a new file in the directory of name. os.CreateTemp would make it readable
// only by its owner, whatever the umask.
func createBeside(name string) (*os.File, error) {
	for i := 0; ; i++ {
		f, err := os.OpenFile(filepath.Join(filepath.Dir(name), fmt.Sprintf(".%s.%d.%d", filepath.Base(name), os.Getpid(), i)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if err == nil || !errors.Is(err, fs.ErrExist) || i == 1000 {
			return f, err
		}
	}
}

// joinPoints puts arrays of numbers on one line each: the encoder spreads them over several, and a
// point is two numbers. It works in place. A string in JSON contains no raw newline, so "[" at the
// end of a line is structure.
func joinPoints(text []byte) []byte {
	out := text[:0]
	for len(text) > 0 {
		i := bytes.Index(text, []byte("[\n"))
		if i < 0 {
			return append(out, text...)
		}
		out = append(out, text[:i+1]...)
		text = text[i+1:]
		end := 0
		for end < len(text) && isNumeric(text[end]) {
			end++
		}
		if end == len(text) || text[end] != ']' {
			continue
		}
		for _, c := range text[:end] {
			switch {
			case c == ',':
				out = append(out, ',', ' ')
			case c > ' ':
				out = append(out, c)
			}
		}
		text = text[end:]
	}
	return out
}

// isNumeric reports whether c occurs in an array of numbers, apart from its brackets.
func isNumeric(c byte) bool {
	return c >= '0' && c <= '9' || c == ',' || c == ' ' || c == '\n' || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E'
}

// complete returns a copy of run in which no list that a document must have is nil.
func complete(run *Run) *Run {
	c := *run
	if c.Format == "" {
		c.Format = Format
	}
	c.Command = orEmpty(c.Command)
	c.Scenarios = slices.Clone(orEmpty(c.Scenarios))
	for i := range c.Scenarios {
		s := &c.Scenarios[i]
		s.Figures = orEmpty(s.Figures)
		s.Series = slices.Clone(s.Series)
		for j := range s.Series {
			s.Series[j].Points = orEmpty(s.Series[j].Points)
		}
		s.Distributions = slices.Clone(s.Distributions)
		for j := range s.Distributions {
			s.Distributions[j].Quantiles = orEmpty(s.Distributions[j].Quantiles)
		}
	}
	return &c
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
