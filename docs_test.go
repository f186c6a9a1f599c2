package mooring_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The tests of this file compare the documentation with the code.

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestReadmeProgram checks that the program of README.md is the example that is compiled.
func TestReadmeProgram(t *testing.T) {
	_, program, ok := strings.Cut(read(t, "README.md"), "```go\npackage main\n")
	program, _, end := strings.Cut(program, "```")
	if !ok || !end {
		t.Fatal("README.md has no program")
	}
	_, program, ok = strings.Cut(program, "\n)\n") // the end of the imports
	if !ok {
		t.Fatal("the program of README.md has no imports")
	}
	declarations, body, ok := strings.Cut(program, "func main() {\n")
	if !ok {
		t.Fatal("the program of README.md has no main")
	}
	example := read(t, "server/example_test.go")
	if !strings.Contains(example, declarations) {
		t.Errorf("server/example_test.go does not have the declarations of README.md:\n%s", declarations)
	}
	if !strings.Contains(example, "func Example() {\n"+body) {
		t.Errorf("server/example_test.go does not have the main of README.md:\n%s", body)
	}
}

// TestHandlersPage checks that the Go code of docs/handlers.md is in the examples that are
// compiled.
func TestHandlersPage(t *testing.T) {
	examples := read(t, "mcp/example_test.go")
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(read(t, "docs/handlers.md"), -1)
	found := 0
	for _, b := range blocks {
		code := strings.TrimSuffix(b[1], "\n")
		if strings.HasPrefix(code, "package ") || strings.HasPrefix(code, "func ") {
			continue // a program of its own, or a signature
		}
		found++
		if !strings.Contains(examples, code) {
			t.Errorf("mcp/example_test.go does not have what docs/handlers.md has:\n%s", code)
		}
	}
	if found == 0 {
		t.Error("docs/handlers.md has no handler that asks")
	}
}

// TestRevisionsAreDocumented checks that README.md has a row for each revision that is served.
func TestRevisionsAreDocumented(t *testing.T) {
	readme := read(t, "README.md")
	revisions := regexp.MustCompile(`\n\tname:\s+"(\d{4}-\d\d-\d\d)"`).FindAllStringSubmatch(read(t, "mcp/version.go"), -1)
	if len(revisions) < 5 {
		t.Fatalf("found %d revisions in mcp/version.go, want 5 or more", len(revisions))
	}
	for _, r := range revisions {
		if !strings.Contains(readme, "\n| "+r[1]+" | ") {
			t.Errorf("README.md has no row for revision %s", r[1])
		}
	}
}

// TestMeasuredSections checks that docs/benchmarks.md has the sections that measurements fill in.
func TestMeasuredSections(t *testing.T) {
	page := read(t, "docs/benchmarks.md")
	for _, name := range []string{"bug", "figures", "comparison"} {
		_, rest, begins := strings.Cut(page, "\n<!-- "+name+" -->\n")
		text, _, ends := strings.Cut(rest, "\n<!-- /"+name+" -->\n")
		if !begins || !ends || strings.TrimSpace(text) == "" {
			t.Errorf("docs/benchmarks.md has no section between <!-- %s --> and <!-- /%s -->, or an empty one", name, name)
		}
	}
}

// TestReadmeIsShort checks the size of README.md and of its tables. What does not fit belongs into
// docs.
func TestReadmeIsShort(t *testing.T) {
	readme := read(t, "README.md")
	if len(readme) > 10_000 {
		t.Errorf("README.md has %d bytes, want 10,000 at most", len(readme))
	}
	tables := 0
	for _, block := range strings.Split(readme, "\n\n") {
		if !strings.HasPrefix(block, "|") {
			continue
		}
		tables++
		if rows := strings.Count(strings.TrimSpace(block), "\n") - 1; rows > 8 {
			t.Errorf("a table of README.md has %d rows, want 8 at most:\n%.200s", rows, block)
		}
	}
	if tables == 0 {
		t.Error("README.md has no table")
	}
}

// TestPagesAreListed checks that README.md links to each page of docs.
func TestPagesAreListed(t *testing.T) {
	readme := read(t, "README.md")
	pages, err := filepath.Glob(filepath.FromSlash("docs/*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("pages of docs: %v, %v", pages, err)
	}
	for _, page := range pages {
		if !strings.Contains(readme, "]("+filepath.ToSlash(page)+")") {
			t.Errorf("README.md has no link to %s", page)
		}
	}
}

// TestSettingsAreDocumented checks that docs/configuration.md has each flag of mooring serve with
// its variable, and docs/operations.md each metric.
func TestSettingsAreDocumented(t *testing.T) {
	page := read(t, "docs/configuration.md")
	flags := regexp.MustCompile(`f\.\w*Var\(&c\.\w+, "([a-z-]+)"`).FindAllStringSubmatch(read(t, "cmd/mooring/config.go"), -1)
	if len(flags) < 12 {
		t.Fatalf("found %d flags in cmd/mooring/config.go, want 12 or more", len(flags))
	}
	for _, f := range flags {
		row := "\n| `--" + f[1] + "` | `MOORING_" + strings.ToUpper(strings.ReplaceAll(f[1], "-", "_")) + "` |"
		if !strings.Contains(page, row) {
			t.Errorf("docs/configuration.md has no row %q", row)
		}
	}
	limits := regexp.MustCompile(`p\.of\+"(-[a-z-]+)"`).FindAllStringSubmatch(read(t, "cmd/mooring/clientlimits.go"), -1)
	if len(limits) < 9 {
		t.Fatalf("found %d limits in cmd/mooring/clientlimits.go, want 9 or more", len(limits))
	}
	for _, l := range limits {
		if row := "\n| `--principal" + l[1] + "`, `--address" + l[1] + "` |"; !strings.Contains(page, row) {
			t.Errorf("docs/configuration.md has no row %q", row)
		}
	}
	page = read(t, "docs/gateway.md")
	upstream := regexp.MustCompile(`\bone\("([a-z_]+)"`).FindAllStringSubmatch(read(t, "cmd/mooring/gateway_status.go"), -1)
	if len(upstream) < 12 {
		t.Fatalf("found %d metrics in cmd/mooring/gateway_status.go, want 12 or more", len(upstream))
	}
	for _, m := range upstream {
		if !strings.Contains(page, "`mooring_upstream_"+m[1]+"`") {
			t.Errorf("docs/gateway.md does not name mooring_upstream_%s", m[1])
		}
	}
	page = read(t, "docs/operations.md")
	metrics := regexp.MustCompile(`desc\("([a-z_]+)"`).FindAllStringSubmatch(read(t, "server/admin/collector.go"), -1)
	if len(metrics) < 12 {
		t.Fatalf("found %d metrics in server/admin/collector.go, want 12 or more", len(metrics))
	}
	for _, m := range metrics {
		if !regexp.MustCompile("\n\\| `mooring_" + m[1] + "[`{]").MatchString(page) {
			t.Errorf("docs/operations.md has no row for the metric mooring_%s", m[1])
		}
	}
}

// TestBoundsAreDocumented checks that the page about limits has each limit of server.Options.
func TestBoundsAreDocumented(t *testing.T) {
	page := read(t, "design/2026-11-22-bounds.md")
	file, err := parser.ParseFile(token.NewFileSet(), filepath.FromSlash("server/options.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || spec.Name.Name != "Options" {
			return true
		}
		for _, field := range spec.Type.(*ast.StructType).Fields.List {
			if !isNumber(field.Type) {
				continue
			}
			for _, name := range field.Names {
				if name.Name == "Loops" {
					continue
				}
				found++
				if !strings.Contains(page, "\n| "+name.Name+" | ") {
					t.Errorf("design/2026-11-22-bounds.md has no row for %s", name.Name)
				}
			}
		}
		return false
	})
	if found < 26 {
		t.Errorf("found %d bounds in server.Options, want 26 or more", found)
	}
}

// isNumber reports whether a type is int, int64 or time.Duration.
func isNumber(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name == "int" || e.Name == "int64"
	case *ast.SelectorExpr:
		return e.Sel.Name == "Duration"
	}
	return false
}

// TestLinks checks that links between the pages lead to files that exist, and those to a section to
// one that the page has.
func TestLinks(t *testing.T) {
	var pages []string
	for _, pattern := range []string{"*.md", "docs/*.md", "design/*.md", "bench/*.md", "bench/*/*.md", "examples/*.md", "examples/*/*.md"} {
		found, err := filepath.Glob(filepath.FromSlash(pattern))
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 0 {
			t.Errorf("no page %s", pattern)
		}
		pages = append(pages, found...)
	}
	link := regexp.MustCompile(`\]\(([^)#\s]*)(#[^)\s]*)?[^)]*\)`)
	code := regexp.MustCompile("(?ms)^```.*?^```$") // Go has f[T](x), which looks like a link
	links, sections := 0, 0
	for _, page := range pages {
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(read(t, filepath.ToSlash(page)), ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			links++
			target := page
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(page), filepath.FromSlash(m[1]))
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: the link %s leads nowhere", page, m[1])
				continue
			}
			if m[2] == "" {
				continue
			}
			sections++
			if !strings.HasSuffix(target, ".md") || !hasSection(read(t, filepath.ToSlash(target)), m[2][1:]) {
				t.Errorf("%s: the link %s%s leads to no section", page, m[1], m[2])
			}
		}
	}
	if links < 30 || sections < 3 {
		t.Errorf("found %d links between pages, %d of them to sections, want 30 and 3 or more", links, sections)
	}
}

// hasSection reports whether a page has a heading with this anchor, as GitHub makes anchors: in
// lower case, without punctuation, and with hyphens for spaces.
func hasSection(page, anchor string) bool {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		heading := regexp.MustCompile(`[^\pL\pN _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		if strings.ReplaceAll(heading, " ", "-") == anchor {
			return true
		}
	}
	return false
}
