package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/internal/badserver"
	"github.com/mooring-mcp/mooring/bench/result"
)

// workerMode names the variable that makes the test binary a worker.
const workerMode = "MOORING_BENCH_WORKER"

// built is the directory of the programs that the tests have built.
var built struct {
	once sync.Once
	dir  string
	err  error
}

func TestMain(m *testing.M) {
	badserver.MainIfAsked()
	if os.Getenv(workerMode) != "" {
		if err := Work(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// buildMooring returns the path of the program, which is built once.
func buildMooring(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "bench"); built.err != nil {
			return
		}
		if out, err := exec.Command("go", "build", "-o", built.dir, "../cmd/mooring").CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, "mooring")
}

// startMooring returns the URL of a server that runs as long as the test, and its process ID.
func startMooring(t testing.TB, flags ...string) (url string, pid int) {
	t.Helper()
	cmd := exec.Command(buildMooring(t), append([]string{"serve", "--listen", "127.0.0.1:0", "--log-level", "error"}, flags...)...)
	cmd.Env = []string{"HOME=" + t.TempDir()}
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait()
	})
	lines := bufio.NewReader(pipe)
	for {
		line, err := lines.ReadString('\n')
		if url, ok := strings.CutPrefix(line, "mooring serves MCP on "); ok {
			go func() {
				defer close(read)
				_, _ = io.Copy(io.Discard, lines)
			}()
			return strings.TrimSpace(url), cmd.Process.Pid
		}
		if err != nil {
			close(read)
			t.Fatalf("no greeting: %v", err)
		}
	}
}

// measure runs a scenario and returns what it found. The result must be a valid document and must
// have the figures of these names.
func measure(t *testing.T, scenario string, o Options, figures ...string) *result.Scenario {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 55*time.Second)
	defer cancel()
	o.Worker = testWorker(t)
	run, err := Run(ctx, o, scenario)
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Validate(); err != nil {
		t.Error(err)
	}
	s := run.Scenario(scenario)
	if s.Error != "" || s.Skipped != "" {
		t.Fatalf("%s: error %q, skipped %q", scenario, s.Error, s.Skipped)
	}
	for _, name := range figures {
		if s.Figure(name) == nil {
			t.Errorf("%s: no figure %s", scenario, name)
		}
	}
	help := Find(scenario).Help
	for i := range s.Figures {
		if !explained(help, s.Figures[i].Name) {
			t.Errorf("%s: figure %s is not explained in the help", scenario, s.Figures[i].Name)
		}
	}
	for i := range s.Findings {
		if !strings.Contains(help, s.Findings[i].Code) && !strings.HasPrefix(s.Findings[i].Code, "streams_") {
			t.Errorf("%s: finding %s is not explained in the help", scenario, s.Findings[i].Code)
		}
	}
	return s
}

// testWorker returns the command of a worker.
func testWorker(t *testing.T) []string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{"/usr/bin/env", workerMode + "=1", exe}
}

// explained reports whether a help text has a figure's name, by itself or in a list: "call_p50,
// _p99".
func explained(help, name string) bool {
	if strings.Contains(help, name) || strings.HasPrefix(name, "health_") {
		return true
	}
	i := strings.LastIndexByte(name, '_')
	return i > 0 && strings.Contains(help, name[:i]+"_") && strings.Contains(help, name[i:])
}

// value returns a figure.
func value(t *testing.T, s *result.Scenario, name string) float64 {
	t.Helper()
	f := s.Figure(name)
	if f == nil {
		t.Fatalf("%s: no figure %s", s.Name, name)
	}
	return f.Value
}

// wantNone fails if there is a finding.
func wantNone(t *testing.T, s *result.Scenario) {
	t.Helper()
	for _, f := range s.Findings {
		t.Errorf("%s found %s: %s", s.Name, f.Code, f.Text)
	}
}

// wantFinding fails unless there is this finding.
func wantFinding(t *testing.T, s *result.Scenario, code string) {
	t.Helper()
	var got []string
	for _, f := range s.Findings {
		if f.Code == code {
			return
		}
		got = append(got, f.Code)
	}
	t.Errorf("%s did not find %s, but %v; figures:\n%s", s.Name, code, got, table(s))
}

func table(s *result.Scenario) string {
	var b strings.Builder
	for _, f := range s.Figures {
		fmt.Fprintf(&b, "%s %g %s\n", f.Name, f.Value, f.Unit)
	}
	for _, n := range s.Notes {
		fmt.Fprintln(&b, n)
	}
	return b.String()
}

// eras runs f for both eras.
func eras(t *testing.T, f func(*testing.T, dialect.Era)) {
	for _, era := range []dialect.Era{dialect.Modern, dialect.Legacy} {
		t.Run(era.String(), func(t *testing.T) { f(t, era) })
	}
}

func TestRunRefusesStrangers(t *testing.T) {
	for _, url := range []string{"http://192.0.2.1:80/mcp", "http://[2001:db8::1]/mcp"} {
		if _, err := Run(t.Context(), Options{URL: url}, "idle"); !errors.Is(err, ErrNotLoopback) {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// newTestEnv returns the environment of a scenario, for tests of its parts.
func newTestEnv(t *testing.T, target *dialect.Target) *env {
	t.Helper()
	p := defaults
	e := &env{Params: p, opts: &Options{}, name: "test", target: target, out: &result.Scenario{}, began: time.Now()}
	t.Cleanup(e.close)
	return e
}
