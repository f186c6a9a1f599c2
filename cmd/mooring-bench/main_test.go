package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/bench"
	"github.com/mooring-mcp/mooring/bench/result"
)

// asMain turns the test binary into the command, to test signals.
const asMain = "MOORING_BENCH_AS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// execute runs the command and returns what it printed.
func execute(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := newCommand()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

// streams serves event streams that are not MCP.
func streams(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestRun measures a small server: the table is printed, the file is valid, and thresholds decide
// the exit code.
func TestRun(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("measuring needs Linux")
	}
	file := filepath.Join(t.TempDir(), "out.json")
	args := []string{"run", "idle", "--url", streams(t), "--era", "plain", "--streams", "40", "--wait", "10ms", "--duration", "50ms", "-q", "--no-process", "--label", "small", "-o", file,
		"--header", "Authorization: Bearer secret"}
	out, err := execute(t, args...)
	if err != nil || !strings.Contains(out, "small") || !strings.Contains(out, "Streams that are open") {
		t.Fatalf("%v\n%s", err, out)
	}
	run, err := result.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if f := run.Scenarios[0].Figure("streams_open"); f == nil || f.Value != 40 {
		t.Errorf("streams_open: %+v", f)
	}
	for threshold, want := range map[string]error{"streams_open<40": nil, "idle.streams_open>=40": errCrossed, "findings>0": nil} {
		if _, err := execute(t, append(args, "--fail-if", threshold)...); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", threshold, err, want)
		}
	}
	if _, err := execute(t, append(args, "--fail-if", "stream_open<40")...); err == nil || errors.Is(err, errCrossed) {
		t.Errorf("a figure that does not exist: %v", err)
	}
	page := filepath.Join(t.TempDir(), "page.html")
	if _, err := execute(t, "report", file, "-o", page); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(page); err != nil || !bytes.Contains(b, []byte("small")) {
		t.Errorf("the report: %v", err)
	}
	if out, err := execute(t, "compare", file, file); err != nil || strings.Count(out, "small") < 2 {
		t.Errorf("compare: %v\n%s", err, out)
	}
}

func TestRefused(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"run", "idle"}, "--url"},
		{[]string{"run", "nothing"}, "unknown command"},
		{[]string{"run", "idle", "--url", "http://192.0.2.1/mcp"}, "not on a loopback address"},
		{[]string{"run", "all", "--only", "idol", "--url", "http://127.0.0.1:9/"}, `no scenario "idol"`},
		{[]string{"run", "idle", "--url", "http://127.0.0.1:9/", "--era", "old"}, `era "old"`},
		{[]string{"run", "idle", "--url", "http://127.0.0.1:9/", "--fail-if", "x=>1"}, "x=>1"},
		{[]string{"run", "call", "--url", "http://127.0.0.1:9/", "-o", "/no/such/folder/x.json"}, "/no/such/folder"},
		{[]string{"run", "call", "--url", "http://127.0.0.1:9/", "--rate", "-5"}, "rate is -5"},
		{[]string{"compare", "nowhere.json"}, "nowhere.json"},
	} {
		if _, err := execute(t, tt.args...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.args, err, tt.want)
		}
	}
}

// TestHelp checks that each scenario explains itself, and has a flag for each parameter that it
// uses.
func TestHelp(t *testing.T) {
	for _, s := range bench.Scenarios() {
		out, err := execute(t, "run", s.Name, "--help")
		if err != nil || !strings.Contains(out, strings.SplitN(s.Help, "\n", 2)[0]) {
			t.Errorf("%s: %v", s.Name, err)
		}
		for _, name := range s.Uses {
			if !strings.Contains(out, "--"+name+" ") {
				t.Errorf("%s has no flag for %s", s.Name, name)
			}
		}
	}
	if out, _ := execute(t, "run", "storm", "--help"); strings.Contains(out, "root") {
		t.Error("the help of storm asks for privileges that it does not need")
	}
	for _, name := range bench.ParamNames() {
		if out, _ := execute(t, "run", "all", "--help"); !strings.Contains(out, "--"+name+" ") {
			t.Errorf("all has no flag for %s", name)
		}
	}
}

// TestEras checks that files of several eras are compared within each era, under its title.
func TestEras(t *testing.T) {
	modern, legacy := "../../bench/result/testdata/anchor.json", "../../bench/result/testdata/buoy.json"
	for flag, title := range map[string]string{"": "== %s ==\n", "--markdown": "## %s\n", "--short": "**%s**\n"} {
		args := []string{"compare", legacy, modern}
		if flag != "" {
			args = append(args, flag)
		}
		out, err := execute(t, args...)
		if err != nil {
			t.Fatal(err)
		}
		first, second := fmt.Sprintf(title, "At 2026-07-28"), fmt.Sprintf(title, "With sessions, at 2025-11-25")
		before, after, ok := strings.Cut(out, second)
		if !ok || !strings.HasPrefix(before, first) || strings.Contains(before, "Buoy") || strings.Contains(after, "Anchor") {
			t.Errorf("compare %s:\n%s", flag, out)
		}
		if out, err := execute(t, args[:2]...); err != nil || strings.Contains(out, "2025-11-25 ==") {
			t.Errorf("one era has a title: %v\n%s", err, out)
		}
	}
}

// TestReportReadme checks that the tables of a README can be made again from files, merged, as
// suite makes them.
func TestReportReadme(t *testing.T) {
	testdata := func(name string) *result.Run {
		run, err := result.ReadFile(filepath.Join("../../bench/result/testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return run
	}
	anchor, again, buoy := testdata("anchor.json"), testdata("anchor.json"), testdata("buoy.json")
	t.Chdir(t.TempDir())
	again.Scenarios = again.Scenarios[:1]
	again.Scenarios[0].Figure("rss_per_stream").Value = 123
	if err := result.WriteRuns("all.json", []*result.Run{anchor, buoy}); err != nil {
		t.Fatal(err)
	}
	if err := result.WriteFile("again.json", again); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("README.md", []byte("a\n<!-- comparison -->\nold\n<!-- /comparison -->\nb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := execute(t, "report", "all.json", "again.json", "--merge", "--readme", "README.md"); err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a\n<!-- comparison -->\n\n**At 2026-07-28**\n\nMeasured on", "| B | 123 |", "\n\n**With sessions, at 2025-11-25**\n\n", "|\n<!-- /comparison -->\nb\n"} {
		if !bytes.Contains(readme, []byte(want)) {
			t.Errorf("%q is not in\n%s", want, readme)
		}
	}
	if bytes.Contains(readme, []byte("680")) || bytes.Contains(readme, []byte("old")) {
		t.Errorf("what was replaced is left in\n%s", readme)
	}
	if _, err := os.Stat("report.html"); err == nil {
		t.Error("a page was written although none was requested")
	}
	if err := present(io.Discard, result.Merge([]*result.Run{anchor, buoy, again}), "", "README.md"); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.ReadFile("README.md"); !bytes.Equal(after, readme) {
		t.Errorf("suite makes other tables:\n%s", after)
	}
	if _, err := execute(t, "report", "all.json", "--readme", "README.md", "-o", "page.html"); err != nil {
		t.Fatal(err)
	}
	if page, _ := os.ReadFile("page.html"); !bytes.Contains(page, []byte(`class="era"`)) {
		t.Error("no page with a part for each era")
	}
	if out, err := execute(t, "compare", "again.json", "again.json", "--merge"); err != nil || strings.Contains(out, "(2)") {
		t.Errorf("compare --merge: %v\n%s", err, out)
	}
}

func TestSchema(t *testing.T) {
	out, err := execute(t, "schema")
	if err != nil || !json.Valid([]byte(out)) {
		t.Errorf("%v\n%.200s", err, out)
	}
}

func TestWithoutSecrets(t *testing.T) {
	got := withoutSecrets([]string{"run", "--header", "Authorization: Bearer abc", "--header=X-Key: def", "--header", "--url"})
	for _, s := range []string{"abc", "def"} {
		if strings.Contains(strings.Join(got, " "), s) {
			t.Errorf("%q contains %s", got, s)
		}
	}
	if !slices.Contains(got, "Authorization: (hidden)") {
		t.Errorf("%q does not name the header", got)
	}
}

func TestReplaceSection(t *testing.T) {
	name := filepath.Join(t.TempDir(), "page.md")
	const page = "a\n<!-- figures -->\nold\n<!-- /figures -->\nb\n"
	if err := os.WriteFile(name, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := replaceSection(name, "figures", "new\n"); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(name); string(b) != strings.Replace(page, "old", "new", 1) {
		t.Errorf("%q", b)
	}
	if err := replaceSection(name, "other", "new\n"); err == nil {
		t.Error("no error for a missing section")
	}
}
