package mooring_test

import (
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// commentWidth is how many columns a line with a comment may have, a tab counted as one.
const commentWidth = 100

// TestCommentWidth checks that no comment of a Go file, nested modules included, exceeds
// commentWidth.
func TestCommentWidth(t *testing.T) {
	files := 0
	err := filepath.WalkDir(".", func(name string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if base := filepath.Base(name); entry.IsDir() {
			if base == "node_modules" || base == "testdata" || base == "bin" || len(base) > 1 && base[0] == '.' {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		files++
		src, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for _, line := range wideComments(src) {
			t.Errorf("%s:%d: a comment goes beyond column %d", name, line, commentWidth)
		}
		return nil
	})
	if err != nil || files < 100 {
		t.Fatalf("%d files, %v", files, err)
	}
}

// wideComments returns the lines of src on which a comment goes beyond commentWidth. Directives
// have no choice, and a word without a space in it, such as a URL, cannot be broken.
func wideComments(src []byte) (lines []int) {
	text := strings.Split(string(src), "\n")
	var s scanner.Scanner
	fset := token.NewFileSet()
	output := 0 // the line that an example's output has come to
	file := fset.AddFile("", fset.Base(), len(src))
	s.Init(file, src, nil, scanner.ScanComments)
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			return lines
		}
		if tok != token.COMMENT || strings.HasPrefix(lit, "//go:") || strings.HasPrefix(lit, "//nolint") {
			continue
		}
		if strings.HasPrefix(lit, "// Output:") {
			output = file.Line(pos)
		}
		first := file.Line(pos)
		if output != 0 && first <= output+1 { // what an example prints is in one line
			output = first
			continue
		}
		for n := first; n <= first+strings.Count(lit, "\n"); n++ {
			words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(text[n-1]), "//"))
			if utf8.RuneCountInString(text[n-1]) > commentWidth && len(words) > 1 {
				lines = append(lines, n)
			}
		}
	}
}

func TestWideComments(t *testing.T) {
	long := strings.Repeat("word ", 20)
	for src, want := range map[string]int{
		"package a\n\n// short\n":                     0,
		"package a\n\n// " + long + "\n":              1,
		"package a\n\nvar x = 1 // " + long + "\n":    1,
		"package a\n\n//go:generate " + long + "\n":   0,
		"package a\n\n/* short\n" + long + "\n*/\n":   0,
		"package a\n\n/* short\n" + long + "x\n*/\n":  1,
		"package a\n\n// " + strings.Repeat("x", 200): 0,
		"package a\n\n// Output:\n// " + long + "\n":  0,
		"package a\n\nvar x = `// " + long + "`\n":    0,
	} {
		if got := len(wideComments([]byte(src))); got != want {
			t.Errorf("%q: %d lines, want %d", src, got, want)
		}
	}
}
