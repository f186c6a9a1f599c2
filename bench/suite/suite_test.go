//go:build linux

package suite

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mooring-mcp/mooring/bench"
	"github.com/mooring-mcp/mooring/bench/result"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestReadList(t *testing.T) {
	good := `{"peers":[{"name":"a","command":"a","args":[],"url":"http://127.0.0.1:{port}/","health":"http://127.0.0.1:{port}/h","scenarios":{"idle":["modern"]}}]}`
	name := filepath.Join(t.TempDir(), "list.json")
	for _, tt := range []struct{ text, want string }{
		{good, ""},
		{strings.Replace(good, "idle", "idol", 1), `no scenario "idol"`},
		{strings.Replace(good, `["modern"]`, `["old"]`, 1), `era "old"`},
		{strings.Replace(good, `/h"`, `/h","colour":1`, 1), "colour"},
		{strings.Replace(good, `"name":"a",`, `"name":"a","kind":"ours",`, 1), `kind "ours"`},
		{strings.ReplaceAll(good, "{port}", "1"), "must contain {port}"},
		{strings.Replace(good, `"name":"a",`, "", 1), "name"},
		{strings.Replace(good, `[{`, `[{"name":"b","command":"b","args":[],"url":"{port}","health":"{port}"},{"name":"b","command":"b","args":[],"url":"{port}","health":"{port}"},{`, 1), `two servers "b"`},
		{`{"peers":[]}`, "no servers"},
		{"", "EOF"},
	} {
		if err := os.WriteFile(name, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ReadList(name)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", tt.text, err, tt.want)
		}
	}
	own, err := ReadList("../peers/peers.json")
	if err != nil {
		t.Fatalf("our own list: %v", err)
	}
	for _, era := range measuredEras { // tables of one era distinguish servers only by label
		labels := map[string]bool{}
		for i := range own {
			if !slices.ContainsFunc(bench.Scenarios(), func(s *bench.Scenario) bool { return slices.Contains(own[i].Scenarios[s.Name], era) }) {
				continue
			}
			if l := label(&own[i]); labels[l] {
				t.Errorf("our own list has two servers %q in era %s", l, era)
			} else {
				labels[l] = true
			}
		}
	}
}

// TestStopDoesNotHang checks that a descendant in a group of its own, which keeps the pipe of the
// server's output open, does not hold up the suite.
func TestStopDoesNotHang(t *testing.T) {
	health := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer health.Close()
	dir := t.TempDir()
	s := Server{Name: "parent", Command: "/bin/sh", Args: []string{"-c", "setsid sh -c 'echo $$ >pid.new; mv pid.new pid; exec sleep 60' & exec sleep 60"}, Health: health.URL}
	p, err := s.start(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	child := 0
	for end := time.Now().Add(10 * time.Second); child == 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		b, _ := os.ReadFile(dir + "/pid")
		child, _ = strconv.Atoi(strings.TrimSpace(string(b)))
	}
	if child == 0 {
		t.Fatal("no descendant")
	}
	begin := time.Now()
	p.stop()
	if took := time.Since(begin); took > stopTime {
		t.Errorf("stop took %v", took)
	}
	if err := syscall.Kill(child, syscall.SIGKILL); err != nil {
		t.Errorf("the descendant: %v", err)
	}
}

// TestCompare measures the server's binary in two eras and a server that does not start: the first
// is measured in a process for each scenario that has exited afterwards, the other is reported.
func TestCompare(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", dir+"/mooring", "../../cmd/mooring").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	servers := []Server{
		{
			Name: "mooring", Label: "Mooring", Kind: "mooring", Command: "./mooring", Args: []string{"serve", "--listen", "127.0.0.1:{port}", "--log-level", "error"},
			URL: "http://127.0.0.1:{port}/mcp", Health: "http://127.0.0.1:{port}/healthz", Eras: []string{"modern", "legacy"},
			Scenarios: map[string][]string{"idle": {"modern", "legacy"}, "fanout": {"modern"}}, Change: Change{Tool: "toggle"}, Notes: "as it is",
		},
		{
			Name: "none", Kind: "mcp", Command: "./nothing", Build: "make nothing", URL: "http://127.0.0.1:{port}/", Health: "http://127.0.0.1:{port}/",
			Scenarios: map[string][]string{"idle": {"modern"}},
		},
		{
			Name: "ends", Command: "/bin/sh", Args: []string{"-c", "echo port {port} is taken; exit 1"}, URL: "http://127.0.0.1:{port}/", Health: "http://127.0.0.1:{port}/",
			Scenarios: map[string][]string{"idle": {"modern"}},
		},
		{
			Name: "second", Command: "/bin/sh", Args: []string{"-c", "test -e up && exec ./mooring serve --listen 127.0.0.1:{port} --log-level error; touch up; exit 1"},
			URL: "http://127.0.0.1:{port}/mcp", Health: "http://127.0.0.1:{port}/healthz", Scenarios: map[string][]string{"idle": {"modern"}, "fanout": {"modern"}},
		},
	}
	pids := map[int]bool{}
	var done int
	runs, err := Compare(t.Context(), servers, Options{
		Dir:   dir,
		Bench: bench.Options{Params: bench.Params{Streams: 50, Wait: time.Second, Duration: 100 * time.Millisecond, Rounds: 1}},
		Done:  func(run *result.Run) error { done++; pids[run.Server.PID] = true; return run.Validate() },
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(runs) != 5 || done != 5 {
		t.Fatalf("%d runs, %d reported, want 5", len(runs), done)
	}
	modern, none, ends, second, legacy := runs[0], runs[1], runs[2], runs[3], runs[4]
	if modern.Server.Label != "Mooring" || modern.Server.Notes != "as it is" || len(modern.Scenarios) != 2 || modern.Scenarios[0].Error+modern.Scenarios[1].Error != "" {
		t.Errorf("modern: %+v %+v", modern.Server, modern.Scenarios)
	}
	if f := modern.Scenario("fanout").Figure("deliveries"); f == nil || f.Value != 50 {
		t.Errorf("deliveries: %+v", f)
	}
	if legacy.Server.Label != "Mooring" || legacy.Server.Era != "legacy" || len(legacy.Scenarios) != 1 {
		t.Errorf("legacy: %+v", legacy.Server)
	}
	if s := none.Scenarios[0]; !strings.Contains(s.Error, "make nothing") {
		t.Errorf("a command that does not exist: %q", s.Error)
	}
	if s := ends.Scenarios[0]; !strings.Contains(s.Error, "is taken") {
		t.Errorf("a server that ends at once: %q", s.Error)
	}
	for _, stub := range []*result.Run{none, ends} {
		if stub.Machine != modern.Machine || stub.Tool != modern.Tool || stub.Began.Before(modern.Began) || !slices.Equal(stub.Command, modern.Command) || stub.Server.Era != "modern" {
			t.Errorf("a run that could not be started does not say where, when and by what: %+v", stub)
		}
	}
	if s := second.Scenarios; len(s) != 2 || s[0].Error == "" || s[1].Error != "" || second.Server.Name != modern.Server.Name {
		t.Errorf("a server that starts at the second time: %+v %+v", second.Server, s)
	}
	if c := result.Compare(runs[:4]); len(c.Scenarios[0].Differ) > 0 {
		t.Errorf("other inputs: %v", c.Scenarios[0].Differ)
	}
	for i, want := range []string{"mooring", "mcp", "", "", "mooring"} {
		if got := runs[i].Server.Kind; got != want {
			t.Errorf("run %d is of kind %q, want %q", i+1, got, want)
		}
	}
	for pid := range pids {
		if pid > 0 && syscall.Kill(pid, 0) == nil {
			t.Errorf("process %d is left", pid)
		}
	}
	if _, err := Compare(t.Context(), servers, Options{Servers: []string{"other"}}); err == nil {
		t.Error("no error for a server that is not in the list")
	}
}
