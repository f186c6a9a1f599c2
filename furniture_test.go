package mooring_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	goyaml "github.com/goccy/go-yaml"
)

// The tests of this file compare what the files around the code say of the repository with the
// repository.

// files returns the paths of all files of the repository that match, with slashes. It does not
// look into folders that builds and package managers make.
func files(t *testing.T, match func(name string) bool) (list []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".git", "bin", "dist", "node_modules"}, entry.Name()):
			return fs.SkipDir
		case !entry.IsDir() && match(entry.Name()):
			list = append(list, filepath.ToSlash(name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// unmarshal reads a YAML file; a key that is there twice is an error.
func unmarshal(t *testing.T, name string, v any) {
	t.Helper()
	if err := goyaml.Unmarshal([]byte(read(t, name)), v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// TestDependabotKnowsEveryManifest checks that .github/dependabot.yml has each folder with a
// go.mod or a package-lock.json, and no other.
func TestDependabotKnowsEveryManifest(t *testing.T) {
	var config struct {
		Updates []struct {
			Ecosystem   string   `yaml:"package-ecosystem"`
			Directories []string `yaml:"directories"`
		} `yaml:"updates"`
	}
	unmarshal(t, ".github/dependabot.yml", &config)
	for ecosystem, manifest := range map[string]string{"gomod": "go.mod", "npm": "package-lock.json"} {
		var got, want []string
		for _, u := range config.Updates {
			if u.Ecosystem == ecosystem {
				got = append(got, u.Directories...)
			}
		}
		for _, file := range files(t, func(name string) bool { return name == manifest }) {
			want = append(want, path.Join("/", path.Dir(file)))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) || len(want) == 0 {
			t.Errorf("%s: .github/dependabot.yml has %q, the repository %q", ecosystem, got, want)
		}
	}
}

// TestWorkflows checks that the workflows call what is there.
func TestWorkflows(t *testing.T) {
	targets := makeTargets(t)
	for _, name := range files(t, func(name string) bool { return strings.HasSuffix(name, ".yml") || strings.HasSuffix(name, ".yaml") }) {
		var parsed map[string]any
		unmarshal(t, name, &parsed)
		if !strings.HasPrefix(name, ".github/workflows/") {
			continue
		}
		for _, m := range regexp.MustCompile(`\bmake ([a-z]+)`).FindAllStringSubmatch(read(t, name), -1) {
			if !targets[m[1]] {
				t.Errorf("%s: the Makefile has no target %s", name, m[1])
			}
		}
	}
	if !strings.Contains(read(t, ".github/workflows/ci.yml"), "run: bash .ci/run\n") {
		t.Error(".github/workflows/ci.yml does not call .ci/run")
	}
	nightly := read(t, ".github/workflows/nightly.yml")
	for _, command := range []string{"make fuzz", "make race"} {
		if !strings.Contains(nightly, command) {
			t.Errorf(".github/workflows/nightly.yml does not call %s", command)
		}
	}
}

// TestIssueForms checks what GitHub demands of a form. A form without it is not offered.
func TestIssueForms(t *testing.T) {
	for _, form := range []string{"bug", "performance"} {
		var f struct {
			Name, Description string
			Body              []struct {
				Type, ID   string
				Attributes struct {
					Label   string
					Options []string
				}
			}
		}
		unmarshal(t, ".github/ISSUE_TEMPLATE/"+form+".yml", &f)
		if f.Name == "" || f.Description == "" || len(f.Body) == 0 {
			t.Errorf("%s: name %q, description %q, %d fields", form, f.Name, f.Description, len(f.Body))
		}
		seen := map[string]bool{}
		for _, field := range f.Body {
			isChoice := field.Type == "dropdown"
			if !isChoice && field.Type != "input" && field.Type != "textarea" || field.Attributes.Label == "" || isChoice != (len(field.Attributes.Options) > 0) {
				t.Errorf("%s: %+v is not a field", form, field)
			}
			if field.ID == "" || seen[field.ID] {
				t.Errorf("%s: the id %q is empty or there twice", form, field.ID)
			}
			seen[field.ID] = true
		}
	}
}

// TestServiceUnit has systemd check contrib/mooring.service, where systemd is installed.
func TestServiceUnit(t *testing.T) {
	const binary = "ExecStart=/usr/local/bin/mooring serve\n"
	unit := read(t, "contrib/mooring.service")
	if strings.Count(unit, binary) != 1 {
		t.Fatalf("contrib/mooring.service does not have %q once", binary)
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed: contrib/mooring.service is not checked")
	}
	self, err := os.Executable() // any program that exists will do
	if err != nil {
		t.Fatal(err)
	}
	unit = strings.Replace(unit, binary, "ExecStart="+self+" serve\n", 1)
	unit = strings.NewReplacer("#LoadCredential", "LoadCredential", "#Environment", "Environment").Replace(unit)
	file := filepath.Join(t.TempDir(), "mooring.service")
	if err := os.WriteFile(file, []byte(unit), 0o600); err != nil {
		t.Fatal(err)
	}
	// it complains of other units, too
	out, _ := exec.Command(analyze, "verify", file).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "mooring.service") {
			t.Error(strings.TrimSpace(line))
		}
	}
}

// TestAgentsPage checks that the tests, files, folders and targets that AGENTS.md names exist.
func TestAgentsPage(t *testing.T) {
	page := read(t, "AGENTS.md")
	tests := map[string]bool{}
	for _, name := range files(t, func(name string) bool { return strings.HasSuffix(name, "_test.go") }) {
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(read(t, name), -1) {
			tests[m[1]] = true
		}
	}
	targets := makeTargets(t)
	found := 0
	for _, m := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(page, -1) {
		name := m[1]
		switch {
		case strings.HasPrefix(name, "Test"):
			found++
			if !tests[name] {
				t.Errorf("AGENTS.md names %s, which is not a test", name)
			}
		case strings.ContainsRune(name, '/') && !strings.ContainsRune(name, ' ') || strings.HasSuffix(name, ".go") || strings.HasSuffix(name, ".yml"):
			found++
			if _, err := os.Stat(filepath.FromSlash(name)); err != nil {
				t.Errorf("AGENTS.md names %s: %v", name, err)
			}
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^make ([a-z]+)`).FindAllStringSubmatch(page, -1) {
		found++
		if !targets[m[1]] {
			t.Errorf("AGENTS.md names make %s, which the Makefile does not have", m[1])
		}
	}
	if found < 20 {
		t.Errorf("found %d names in AGENTS.md, want 20 or more", found)
	}
}

func makeTargets(t *testing.T) map[string]bool {
	t.Helper()
	targets := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z]+):`).FindAllStringSubmatch(read(t, "Makefile"), -1) {
		targets[m[1]] = true
	}
	return targets
}
