package result

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestReadRefuses(t *testing.T) {
	const head = `{"format":"mooring-bench/1","scenarios":[`
	for _, tt := range []struct{ text, want string }{
		{"", "not a document"},
		{"[]", "not a document"},
		{"null", "names no format"},
		{`{"scenarios":[]}`, "names no format"},
		{`{"format":"mooring-bench/2","server":7}`, `unknown format "mooring-bench/2"; this version reads "mooring-bench/1"`},
		{`{"format":"` + strings.Repeat("x", 1e6) + `"}`, `unknown format`},
		{head + `]} {}`, "not a document"},
		{head + `]`, "not a document"},
		{head + `7]}`, "result: json"},
		{`{"format":"mooring-bench/1","server":{"kind":"ours"}}`, `"ours" is not a kind of server`},
		{head + `{"name":"Idle"}]}`, `"Idle" is not a scenario name`},
		{head + `{"name":"idle"},{"name":"idle"}]}`, "duplicate scenario idle"},
		{head + `{"name":"idle","figures":[{"name":"a"},{"name":"a"}]}]}`, "duplicate figure a"},
		{head + `{"name":"idle","figures":[{"name":"findings"}]}]}`, `"findings" is not a figure name`},
		{head + `{"name":"idle","figures":[{"name":"a","value":1e999}]}]}`, "result: json"},
		{head + `{"name":"idle","figures":[{"name":"a","unit":"KB"}]}]}`, `unknown unit "KB"`},
		{head + `{"name":"idle","figures":[{"name":"a","better":"blue"}]}]}`, `not lower or higher`},
		{head + `{"name":"idle","findings":[{"code":"<b>"}]}]}`, `not a finding code`},
		{head + `{"name":"idle","series":[{"name":"<b>"}]}]}`, `"<b>" is not a valid name`},
		{head + `{"name":"idle","series":[{"name":"a","unit":"h"}]}]}`, `a: unknown unit "h"`},
		{head + `{"name":"idle","distributions":[{"name":"a","quantiles":[[50,1],[40,2]]}]}]}`, "percentile 40 is out of order"},
		{head + `{"name":"idle","distributions":[{"name":"a","quantiles":[[-1,1]]}]}]}`, "percentile -1 is out of order"},
		{strings.Repeat("[", 1e6), "not a document"},
	} {
		run, err := Read(strings.NewReader(tt.text))
		if err == nil || run != nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.80s: got %v, %v, want an error with %q", tt.text, run, err, tt.want)
		} else if len(err.Error()) > 500 {
			t.Errorf("%.80s: an error of %d bytes", tt.text, len(err.Error()))
		}
	}
}

// endless is a document that never ends.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.read += len(p)
	return len(p), nil
}

func TestReadIsBounded(t *testing.T) {
	for why, text := range map[string]string{
		"more than 64 scenarios": `{"format":"mooring-bench/1","scenarios":[7` + strings.Repeat(",7", 1e6) + `]}`,
		"more than 1000 figures": `{"format":"mooring-bench/1","scenarios":[{"name":"a","figures":[7` + strings.Repeat(",7", 1e6) + `]}]}`,
		"more than 1000 notes":   `{"format":"mooring-bench/1","scenarios":[{"name":"a","Notes":[7` + strings.Repeat(",7", 1e6) + `]}]}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Read(strings.NewReader(text))
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: got %v", why, err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 256<<20 {
			t.Errorf("%s: %d MiB were allocated for %d MiB", why, used>>20, len(text)>>20)
		} else {
			t.Logf("%s: %d MiB were allocated for %d MiB", why, used>>20, len(text)>>20)
		}
	}
	long := &Run{Scenarios: make([]Scenario, 65)}
	if err := Write(io.Discard, long); err == nil || !strings.Contains(err.Error(), "more than 64 scenarios") {
		t.Errorf("written: %v", err)
	}
	long = &Run{Scenarios: []Scenario{{Name: "idle", Findings: make([]Finding, 1001)}}}
	if err := Write(io.Discard, long); err == nil || !strings.Contains(err.Error(), "more than 1000 findings") {
		t.Errorf("written: %v", err)
	}
	var e endless
	if _, err := Read(&e); err == nil || !strings.Contains(err.Error(), "more than 16 MiB") {
		t.Errorf("got %v", err)
	}
	if e.read > 2*MaxBytes {
		t.Errorf("%d bytes were read", e.read)
	}
	if _, err := Read(io.MultiReader(strings.NewReader("{"), &failing{})); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("the reader's error is lost: %v", err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error)  { return 0, fs.ErrClosed }
func (failing) Write([]byte) (int, error) { return 0, fs.ErrClosed }

func TestReadPassesOverWhatIsNew(t *testing.T) {
	run, err := Read(strings.NewReader(`{"format":"mooring-bench/1","weather":"fair","scenarios":[{"name":"idle","tide":1}]}`))
	if err != nil || run.Scenario("idle") == nil {
		t.Errorf("got %v, %v", run, err)
	}
}

func TestWriteRefuses(t *testing.T) {
	inf := math.Inf(1)
	for why, s := range map[string]Scenario{
		"NaN":             {Figures: []Figure{{Name: "a", Value: math.NaN()}}},
		"infinite client": {Figures: []Figure{{Name: "a", Client: &inf}}},
		"series":          {Series: []Series{{Name: "a", Points: [][2]float64{{0, inf}}}}},
		"distribution":    {Distributions: []Distribution{{Name: "a", Quantiles: [][2]float64{{math.NaN(), 0}}}}},
		"seconds":         {Seconds: inf},
	} {
		s.Name = "idle"
		var b bytes.Buffer
		if err := Write(&b, &Run{Scenarios: []Scenario{s}}); err == nil || b.Len() > 0 || !strings.Contains(err.Error(), "scenario idle") {
			t.Errorf("%s: got %v after %d bytes", why, err, b.Len())
		}
	}
	if err := Write(failing{}, &Run{}); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("the writer's error is lost: %v", err)
	}
}

func TestWriteFileIsAtomic(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "run.json")
	want := func(why, label string) {
		t.Helper()
		run, err := ReadFile(name)
		if err != nil || run.Server.Label != label {
			t.Fatalf("%s: got %v, %v, want %s", why, run, err, label)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Fatalf("%s: left in the folder: %v, %v", why, entries, err)
		}
	}
	if err := WriteFile(name, &Run{Server: Server{Label: "first <&>\u2028"}}); err != nil {
		t.Fatal(err)
	}
	want("new", "first <&>\u2028")
	old, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if err := WriteFile(name, &Run{Server: Server{Label: "second"}}); err != nil {
		t.Fatal(err)
	}
	want("replaced", "second")
	if run, err := Read(old); err != nil || run.Server.Label != "first <&>\u2028" {
		t.Errorf("a reader that had the old document open reads %v, %v", run, err)
	}
	if err := WriteFile(name, &Run{Format: "other"}); err == nil {
		t.Error("a run of another format was written")
	}
	want("refused", "second")
	if err := WriteFile(filepath.Join(dir, "none", "run.json"), &Run{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	if err := WriteFile(dir, &Run{}); err == nil {
		t.Error("a folder was replaced by a file")
	}
	want("a folder's name", "second")
	if _, err := ReadFile(filepath.Join(dir, "none.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(name, []byte("{}"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(name); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("the error does not name the file: %v", err)
	}
}

// FuzzRead checks that what is read can be written, and then reads as the same.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		`{"format":"mooring-bench/1"}`,
		`{"format":"mooring-bench/1","began":"2026-11-22T18:00:00Z","command":["a [","b"],"machine":{"cores":2},"server":{"label":"x"},"scenarios":[{"name":"idle","seconds":1e-7,
			"params":[{"name":"n","value":"8"}],"figures":[{"name":"a","title":"A","unit":"B","value":1.5,"better":"lower","key":true,"client":-1}],
			"series":[{"name":"s","points":[[0,1],[1,1e21]]}],"distributions":[{"name":"d","unit":"ms","count":2,"quantiles":[[0,1],[99.9,2]]}],
			"findings":[{"code":"c","text":"t\u001b"}],"notes":["[\n1\n]"],"error":"e","skipped":"s"}]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		run, err := Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		var first, second bytes.Buffer
		if err := Write(&first, run); err != nil {
			t.Fatalf("read, but not written: %v", err)
		}
		again, err := Read(bytes.NewReader(first.Bytes()))
		if err != nil {
			t.Fatalf("written, but not read: %v", err)
		}
		if err := Write(&second, again); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Fatalf("written twice, %v:\n%s\n%s", err, first.Bytes(), second.Bytes())
		}
		for _, write := range []func(*Comparison, io.Writer) error{(*Comparison).WriteText, (*Comparison).WriteMarkdown, (*Comparison).WriteReadme} {
			var b bytes.Buffer
			if err := write(Compare([]*Run{run, again}), &b); err != nil || bytes.ContainsAny(b.Bytes(), "\x1b\x00\r\t") {
				t.Fatalf("%v, %q", err, b.Bytes())
			}
		}
	})
}
