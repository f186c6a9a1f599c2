package mcp

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// chunkReader returns what it has in the given pieces, and then an error.
type chunkReader struct {
	rest   []byte
	pieces []byte // lengths, used in turn; a 0 is a Read without data
	n      int
}

func (r *chunkReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	size := len(r.rest)
	if len(r.pieces) > 0 {
		piece := int(r.pieces[r.n%len(r.pieces)])
		if r.n++; piece == 0 && r.n%2 == 0 {
			piece = 1 // so that a few bytes do not take thousands of Reads
		}
		size = min(piece, size)
	}
	n := copy(p, r.rest[:size])
	r.rest = r.rest[n:]
	return n, nil
}

// linesOf returns all that l reads. Where keep says so, texts are retained, and checked at the end.
func linesOf(t *testing.T, l *lineReader, keep func(n int) bool) (lines []string) {
	t.Helper()
	var kept [][]byte
	var want []string
	empty := 0
	for ended := false; ; {
		text, err := l.next()
		switch {
		case errors.Is(err, errLineTooLong):
			lines = append(lines, "<too long>")
		case text != nil:
			lines = append(lines, string(text))
			if keep(len(lines)) {
				l.retain()
				kept, want = append(kept, text), append(want, string(text))
			}
		case ended:
			for i := range kept {
				if string(kept[i]) != want[i] {
					t.Errorf("a retained line has changed from %q to %q", want[i], kept[i])
				}
			}
			return lines
		default:
			if err := l.fill(); err != nil {
				ended = true
			}
			if empty++; empty > 1e6 {
				t.Fatal("no end")
			}
		}
	}
}

// plainLines is what a lineReader with the limit reads of data, by its definition.
func plainLines(data []byte, limit int) (lines []string) {
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		switch {
		case limit >= 0 && len(line) > limit:
			lines = append(lines, "<too long>")
		case len(bytes.TrimLeft(line, " \t\r")) > 0:
			lines = append(lines, string(line))
		}
	}
	return lines
}

// Lines are the same wherever their bytes are cut, and whichever of them are retained.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nbb\r\n\n \nccc"), []byte{1}, 2)
	f.Add([]byte(strings.Repeat("x", 5000)+"\n{}\n"), []byte{255, 1, 0}, 4096)
	f.Add([]byte(strings.Repeat("ab\n", 3000)), []byte{7}, -1)
	f.Fuzz(func(t *testing.T, data, pieces []byte, limit int) {
		if len(data) > 1<<16 {
			return
		}
		if limit < 0 {
			limit = -1
		}
		want := strings.Join(plainLines(data, limit), "|")
		for _, keep := range []func(int) bool{
			func(int) bool { return false }, func(int) bool { return true }, func(n int) bool { return n%3 == 0 },
		} {
			l := &lineReader{r: &chunkReader{rest: data, pieces: pieces}, limit: limit}
			if got := strings.Join(linesOf(t, l, keep), "|"); got != want {
				t.Fatalf("lines %q, want %q", got, want)
			}
			if most := 2*max(limit, len(data)) + 2*maxRead; cap(l.buf) > most {
				t.Fatalf("a buffer of %d bytes", cap(l.buf))
			}
		}
	})
}

// A line that is too long is not kept.
func TestLongLineIsNotKept(t *testing.T) {
	data := append(bytes.Repeat([]byte("x"), 10<<20), "\nshort\n"...)
	l := &lineReader{r: bytes.NewReader(data), limit: 1 << 10}
	lines := linesOf(t, l, func(int) bool { return false })
	if len(lines) != 2 || lines[0] != "<too long>" || lines[1] != "short" || cap(l.buf) > maxRead {
		t.Errorf("%d lines, a buffer of %d bytes", len(lines), cap(l.buf))
	}
}

func TestMemoryPipe(t *testing.T) {
	a, b := NewInMemoryTransports()
	data := bytes.Repeat([]byte("0123456789abcdef"), memoryRoom/8) // more than fits
	go func() {
		for rest := data; len(rest) > 0; {
			n := min(len(rest), 3333)
			if _, err := a.Write(rest[:n]); err != nil {
				t.Error(err)
			}
			rest = rest[n:]
		}
		a.Close()
	}()
	got, err := io.ReadAll(b)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("read %d bytes of %d, %v", len(got), len(data), err)
	}
	if _, err := b.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Write to a closed pipe: %v", err)
	}
}

// A transport that lacks an end is refused, and not noticed by the goroutine that reads.
func TestIOTransportWithoutEnds(t *testing.T) {
	s := newEchoServer(t, nil)
	end, _ := NewInMemoryTransports()
	for _, tr := range []*IOTransport{{}, {Reader: end}, {Writer: end}} {
		if err := s.Run(t.Context(), tr); err == nil {
			t.Errorf("%+v was served", tr)
		}
	}
}
