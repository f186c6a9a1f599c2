package httpparse

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestDocuments checks the parser with the examples of testdata/*.md. Below a heading is what a
// client sends, as a block "http", and what is read in it, as a block "text":
//
//   - A line of the first ends in CRLF on the wire, unless it ends in a backslash, which joins it
//     with the next. Otherwise a backslash begins an escape of Go. The mark ¦ stands before the
//     octet at which a refusal falls; alone on a line, it stands between its CR and LF.
//   - The second has a line for each request (see describe), and at the end "more" if a request
//     has begun and not ended, or the status and the reason of a refusal.
//
// Each example is read whole and in pieces, as wantConverse does.
func TestDocuments(t *testing.T) {
	files, err := filepath.Glob("testdata/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("no documents (%v)", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		examples := exampleBlocks.FindAllStringSubmatch(string(text), -1)
		if n := strings.Count(string(text), "```http\n"); n == 0 || n != len(examples) {
			t.Errorf("%s: %d examples with heading and result, of %d", file, len(examples), n)
		}
		for _, m := range examples {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".md")+"/"+m[1], func(t *testing.T) {
				in := wireOf(t, m[2])
				before, after, marked := strings.Cut(in, mark)
				in = before + after
				got := converse([]byte(in), nil, whole)
				read, end := got.text, ""
				if got.err != nil {
					end = fmt.Sprintf("%d %s", got.err.Status, got.err.Reason)
				} else if head, ok := strings.CutSuffix(read, "more"); ok {
					read, end = head, "more"
				}
				if read != "" && end != "" {
					end = "\n" + end
				}
				if read = strings.TrimSuffix(read, "\n") + end; read != m[3] {
					t.Fatalf("%q:\n got %s\nwant %s", in, read, m[3])
				}
				if marked != (got.err != nil) || marked && got.at != len(before) {
					t.Fatalf("refused at %q, want the mark there", in[:got.at])
				}
				wantConverse(t, in, nil, got)
			})
		}
	}
}

// exampleBlocks finds an example: its heading, then without another heading between its two blocks.
var exampleBlocks = regexp.MustCompile("(?m)^##+ (.*)\n(?:[^#`\n].*\n|\n)*```http\n((?s:.*?))```\n\n*```text\n((?s:.*?))\n```$")

// wireOf returns the octets of a block.
func wireOf(t *testing.T, block string) string {
	t.Helper()
	block = strings.ReplaceAll(block, "\n"+mark+"\n", "\n\\r"+mark+"\\n\\\n")
	block = strings.ReplaceAll(block, "\\\n", "")
	block = strings.ReplaceAll(block, "\n", `\r\n`)
	in, err := strconv.Unquote(`"` + strings.ReplaceAll(block, `"`, `\"`) + `"`)
	if err != nil {
		t.Fatalf("%v: %s", err, block)
	}
	return in
}
