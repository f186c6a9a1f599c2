package server

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// An archive is a file of testdata in the txtar format: a comment, and parts that each begin with
// a line "-- name --".
type archive struct {
	path    string
	comment string
	parts   []part
}

type part struct{ name, text string }

var partLine = regexp.MustCompile(`(?m)^-- (.+) --\n`)

func readArchive(t *testing.T, path string) *archive {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	a := &archive{path: path, comment: string(b)}
	for i, at := range partLine.FindAllSubmatchIndex(b, -1) {
		if i == 0 {
			a.comment = string(b[:at[0]])
		} else {
			last := &a.parts[i-1]
			last.text = strings.TrimSuffix(last.text, string(b[at[0]:]))
		}
		a.parts = append(a.parts, part{string(b[at[2]:at[3]]), string(b[at[1]:])})
	}
	return a
}

func (a *archive) write(t *testing.T) {
	t.Helper()
	var b strings.Builder
	b.WriteString(a.comment)
	for _, p := range a.parts {
		fmt.Fprintf(&b, "-- %s --\n%s", p.name, p.text)
	}
	if err := os.WriteFile(a.path, []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
}

// A wire is one direction of a connection. It turns bytes into the text of a part, and back.
//
// In the text a line of a head, of a chunk's size and the end of a chunk's data end in LF, on the
// wire in CRLF. Content of a known length is followed by an LF that is not on the wire. Everything
// else stands as it is.
type wire struct {
	owed    int  // bytes of content still to come
	chunked bool // within content in chunks
	bare    bool // within content that ends with the connection
}

// text returns the text of what the server sent.
func (w *wire) text(b []byte) (string, error) {
	var out strings.Builder
	for len(b) > 0 {
		switch {
		case w.bare:
			out.Write(b)
			return out.String(), nil
		case w.chunked:
			n, err := w.chunk(&out, b)
			if err != nil {
				return out.String(), err
			}
			b = b[n:]
		default:
			head, rest, ok := bytes.Cut(b, []byte("\r\n\r\n"))
			if !ok || bytes.Contains(bytes.ReplaceAll(head, []byte("\r\n"), nil), []byte("\n")) {
				return out.String(), fmt.Errorf("%q is not a head", b)
			}
			b = rest
			out.WriteString(strings.ReplaceAll(string(head), "\r\n", "\n") + "\n\n")
			n, sized := w.begin(head)
			if n = min(n, len(b)); n > 0 { // the response to HEAD has none of it
				out.Write(b[:n])
				out.WriteByte('\n')
				b = b[n:]
			}
			w.bare = !sized && !w.chunked
		}
	}
	return out.String(), nil
}

var (
	lengthField = regexp.MustCompile(`(?i)\r\nContent-Length: (\d+)`)
	codingField = regexp.MustCompile(`(?i)\r\nTransfer-Encoding: chunked`)
	noContent   = regexp.MustCompile(`^HTTP/1.1 (1..|204|304) `)
)

// begin looks at a head. It returns the length of the content, and whether it is known.
func (w *wire) begin(head []byte) (length int, known bool) {
	if w.chunked = codingField.Match(head); w.chunked || noContent.Match(head) {
		return 0, !w.chunked
	}
	if m := lengthField.FindSubmatch(head); m != nil {
		length, _ = strconv.Atoi(string(m[1]))
		return length, true
	}
	return 0, false
}

// chunk writes the text of one chunk and returns how many bytes it took.
func (w *wire) chunk(out *strings.Builder, b []byte) (int, error) {
	line, rest, _ := bytes.Cut(b, []byte("\r\n"))
	size, err := strconv.ParseUint(string(line), 16, 31)
	if err != nil || len(rest) < int(size)+2 || string(rest[size:size+2]) != "\r\n" {
		return 0, fmt.Errorf("%q is not a chunk", b)
	}
	w.chunked = size > 0
	fmt.Fprintf(out, "%s\n%s\n", line, rest[:size])
	return len(line) + 2 + int(size) + 2, nil
}

// bytes returns what the client sends: {0x00} stands for a byte, and takes the place of the line
// end behind it if it is an LF.
func (w *wire) bytes(text string) []byte {
	var out []byte
	for text != "" {
		if w.owed > 0 {
			n := w.owed
			if n >= len(text) {
				n = len(strings.TrimSuffix(text, "\n"))
			}
			out = append(out, text[:n]...)
			w.owed -= n
			text = strings.TrimPrefix(text[n:], "\n")
			continue
		}
		from := len(out)
		for text != "" && !bytes.HasSuffix(out[from:], []byte("\r\n\r\n")) {
			line, rest, _ := strings.Cut(text, "\n")
			text = rest
			line = byteMark.ReplaceAllStringFunc(line, func(m string) string {
				n, _ := strconv.ParseUint(m[3:5], 16, 8)
				return string([]byte{byte(n)})
			})
			out = append(out, line...)
			if !strings.HasSuffix(line, "\n") {
				out = append(out, "\r\n"...)
			}
			if len(out)-from == 2 {
				from = len(out) // an empty line before the request line
			}
		}
		w.owed, _ = w.begin(out[from:])
		if w.chunked { // to the end of the part
			out = append(out, strings.ReplaceAll(text, "\n", "\r\n")...)
			text, w.chunked = "", false
		}
	}
	return out
}

var byteMark = regexp.MustCompile(`\{0x[0-9A-F]{2}\}`)

// names are the placeholders for what differs from one run to the next, and what they stand for in
// this one: {date}, and {session}, {event} and {state}, the second of a kind with a 2 and so on.
type names struct {
	values map[string]string // by placeholder
	marks  map[string]string // by value
	counts map[string]int    // by kind
}

func newNames() *names {
	return &names{make(map[string]string), make(map[string]string), make(map[string]int)}
}

var volatile = []struct {
	kind string
	in   *regexp.Regexp // the value is the second group
}{
	{"date", regexp.MustCompile(`(?m)^(Date: )(\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT)$`)},
	{"session", regexp.MustCompile(`(?m)^(Mcp-Session-Id: )([\w-]+)$`)},
	{"session", regexp.MustCompile(`(\?sessionId=)([\w-]+)`)},
	{"event", regexp.MustCompile(`(?m)^(id: )([\w-]+)$`)},
	{"state", regexp.MustCompile(`("requestState":")([^"]+)`)},
}

// hide puts placeholders into what the server sent.
func (n *names) hide(text string) string {
	for _, v := range volatile {
		text = v.in.ReplaceAllStringFunc(text, func(s string) string {
			m := v.in.FindStringSubmatch(s)
			if v.kind == "date" {
				return m[1] + "{date}"
			}
			mark, ok := n.marks[m[2]]
			if !ok {
				n.counts[v.kind]++
				mark = "{" + v.kind + "}"
				if k := n.counts[v.kind]; k > 1 {
					mark = fmt.Sprintf("{%s %d}", v.kind, k)
				}
				n.marks[m[2]], n.values[mark] = mark, m[2]
			}
			return m[1] + mark
		})
	}
	return text
}

// show replaces the placeholders in what the client sends.
func (n *names) show(text string) string {
	for mark, value := range n.values {
		text = strings.ReplaceAll(text, mark, value)
	}
	return text
}
