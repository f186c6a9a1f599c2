package result

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxRuns limits the documents of one file.
const maxRuns = 64

// ReadRuns reads a file with one document, or with an array of documents, as a comparison writes
// it. Its errors name the file.
func ReadRuns(name string) ([]*Run, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("result: %w", err)
	}
	defer f.Close()
	runs, err := readRuns(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return runs, nil
}

func readRuns(r io.Reader) ([]*Run, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("result: %w", err)
	}
	documents := []json.RawMessage{text}
	if t := bytes.TrimLeft(text, " \t\r\n"); len(t) > 0 && t[0] == '[' && len(text) <= MaxBytes {
		documents = nil
		if err := json.Unmarshal(text, &documents); err != nil {
			return nil, fmt.Errorf("result: %w", err)
		}
		if len(documents) == 0 || len(documents) > maxRuns {
			return nil, fmt.Errorf("result: %d documents, not 1 to %d", len(documents), maxRuns)
		}
	}
	var runs []*Run
	for _, d := range documents {
		run, err := Read(bytes.NewReader(d))
		if err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	return runs, nil
}

// WriteRuns writes an array of documents to a file, as a whole or not at all.
func WriteRuns(name string, runs []*Run) error {
	var text bytes.Buffer
	text.WriteString("[\n")
	for i, run := range runs {
		if i > 0 {
			text.WriteString(",\n")
		}
		if err := Write(&text, run); err != nil {
			return err
		}
	}
	text.WriteString("]\n")
	if text.Len() > MaxBytes {
		return errors.New("result: the file would be too large to read; thin the runs")
	}
	return writeWhole(name, func(w io.Writer) error {
		_, err := w.Write(text.Bytes())
		return err
	})
}

// Thin leaves at most n points in each series; n must be 3 or more. It keeps the first and the
// last, and of each stretch between them the one with the highest value, because the peaks matter.
func (r *Run) Thin(n int) {
	for i := range r.Scenarios {
		for j := range r.Scenarios[i].Series {
			s := &r.Scenarios[i].Series[j]
			s.Points = thin(s.Points, n)
		}
	}
}

func thin(points [][2]float64, n int) [][2]float64 {
	if len(points) <= n {
		return points
	}
	last := len(points) - 1
	between := points[1:last]
	out := append(make([][2]float64, 0, n), points[0])
	for k := range n - 2 {
		part := between[k*len(between)/(n-2) : (k+1)*len(between)/(n-2)]
		best := part[0]
		for _, p := range part[1:] {
			if p[1] > best[1] {
				best = p
			}
		}
		out = append(out, best)
	}
	return append(out, points[last])
}
