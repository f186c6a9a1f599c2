package port

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"
)

func TestPrograms(t *testing.T) {
	programs := list(t)
	sdk, ours := t.TempDir(), t.TempDir()
	build(t, ".", sdk, programs)
	failed := build(t, renamed(t), ours, programs)
	allowed := readAllowances(t)
	for _, name := range programs {
		script, err := readScript(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, era := range []string{modern, legacy} {
			t.Run(name+"/"+era, func(t *testing.T) {
				if message := failed[name]; message != "" {
					t.Fatalf("it does not compile:\n%s", message)
				}
				want := run(t, filepath.Join(sdk, name), script, era)
				got := run(t, filepath.Join(ours, name), script, era)
				for i := range want {
					compare(want[i].answer, got[i].answer, "", func(path string, a, b any) {
						d := difference{name, era, want[i].step, path, a, b}
						if !allowed.allow(d) {
							t.Error(d)
						}
					})
				}
			})
		}
	}
	if len(programs) > 25 { // all of them
		for _, a := range allowed {
			if !a.used {
				t.Errorf("differences.txt:%d: there is no such difference", a.line)
			}
		}
	}
}

// list returns the programs, or those that the environment variable PORT_PROGRAMS names.
func list(t *testing.T) []string {
	t.Helper()
	if names := os.Getenv("PORT_PROGRAMS"); names != "" {
		return strings.Fields(names)
	}
	entries, err := os.ReadDir("programs")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	sort.Strings(names)
	if len(names) < 25 {
		t.Fatalf("%d programs", len(names))
	}
	return names
}

// run takes the steps of a script with a program, and returns what came of them.
func run(t *testing.T, bin string, script []step, era string) []record {
	t.Helper()
	p := &process{bin: bin}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s wrote:\n%s", bin, p.stderr.String())
		}
	})
	switch script[0].verb {
	case "self":
		return []record{self(p)}
	case "http", "sse":
		if err := p.serve(t); err != nil {
			t.Fatalf("%s: %v", bin, err)
		}
	}
	d := newDriver(era)
	defer d.close()
	var records []record
	for _, s := range script {
		if s.era == "" || s.era == era {
			records = append(records, d.take(s, p))
		}
	}
	return records
}

// build builds the programs of the module in dir into bin. It returns the errors of those that do
// not compile, which is fatal for the SDK's.
func build(t *testing.T, dir, bin string, programs []string) map[string]string {
	t.Helper()
	failed := map[string]string{}
	compile := func(pattern string) string {
		cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", bin+string(filepath.Separator), pattern)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return string(out) + err.Error()
		}
		return ""
	}
	if os.Getenv("PORT_PROGRAMS") == "" && compile("./programs/...") == "" {
		return nil
	}
	for _, name := range programs {
		if message := compile("./programs/" + name); message != "" {
			if dir == "." {
				t.Fatalf("%s does not compile against the SDK:\n%s", name, message)
			}
			failed[name] = message
		}
	}
	return failed
}

// renamed returns a module with the programs after the command line of docs/moving.md.
func renamed(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if keep := os.Getenv("PORT_KEEP"); keep != "" {
		dir = keep
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		_ = os.RemoveAll(filepath.Join(dir, "programs"))
	}
	if err := os.CopyFS(filepath.Join(dir, "programs"), os.DirFS("programs")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(moving)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)<!-- renames -->\n+```sh\n(.*?)```").FindSubmatch(text)
	if m == nil {
		t.Fatal("docs/moving.md has no renames")
	}
	command(t, dir, "bash", "-euc", string(m[1]))
	own(t, dir)
	return dir
}

// own makes dir a module that needs what this one needs, and has Mooring of this repository.
func own(t *testing.T, dir string) {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	command(t, dir, "go", "mod", "edit", "-replace", "github.com/mooring-mcp/mooring="+root)
}

func command(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}
