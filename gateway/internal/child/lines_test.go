package child

import (
	"bytes"
	"strings"
	"testing"
)

// cut gives text to s in chunks of the lengths, over and over, and returns a description of what
// came out.
func cut(s *lines, text []byte, lengths ...int) (out []string) {
	for i := 0; len(text) > 0; i++ {
		space := s.space()
		n := min(max(lengths[i%len(lengths)], 1), len(text), len(space))
		copy(space, text[:n])
		text = text[n:]
		s.wrote(n)
		for {
			line, long, ok := s.next()
			if !ok {
				break
			}
			if long != nil {
				out = append(out, "long "+string(long.head)+" "+string(long.tail))
			} else {
				out = append(out, string(line))
			}
		}
		s.idle()
	}
	return out
}

// split is the obvious implementation.
func split(text []byte, most int) (out []string) {
	for {
		line, rest, ok := bytes.Cut(text, []byte{'\n'})
		if !ok {
			return out
		}
		text = rest
		line = bytes.TrimSuffix(line, []byte{'\r'})
		if len(line) > most {
			out = append(out, "long "+string(line[:min(len(line), keptHead)])+" "+string(line[max(len(line)-keptTail, 0):]))
		} else {
			out = append(out, string(line))
		}
	}
}

func compare(t *testing.T, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("line %d: got %.200q, want %.200q", i, got[i], want[i])
		}
	}
}

// FuzzLines cuts a text anywhere: the lines are the same.
func FuzzLines(f *testing.F) {
	f.Add([]byte("{}\n[]\r\n\n\r\n{\"a\":\"\u65e5\"}\nrest"), uint16(1), uint16(3), uint16(0))
	f.Add([]byte(strings.Repeat("x", 1100)+"\r\n"+strings.Repeat("y", 1025)+"\nz\r\n"), uint16(7), uint16(1000), uint16(2))
	f.Add([]byte("{\"id\":1}\r\n"+strings.Repeat("é", 70)+"\n"), uint16(129), uint16(1), uint16(1000))
	f.Fuzz(func(t *testing.T, text []byte, a, b, repeat uint16) {
		// a line of about the length of the limit
		if repeat %= 4 * keptHead; repeat > 0 && len(text) > 0 {
			text = append(bytes.Repeat(text[:1], int(repeat)), text...)
		}
		const most = keptHead + 100
		want := split(text, most)
		for _, lengths := range [][]int{{int(a), int(b)}, {int(b)}, {1}, {len(text)}} {
			s := lines{max: most}
			got := cut(&s, text, lengths...)
			s.close()
			compare(t, got, want)
		}
	})
}

// Every cut of lines around the limit, at every byte.
func TestLinesCutAtEveryByte(t *testing.T) {
	const most = keptHead + 10
	var text []byte
	for _, n := range []int{0, 1, most - 1, most, most + 1, most + 2, 0, 3 * most, 2} {
		for _, end := range []string{"\n", "\r\n", "\r\r\n"} {
			text = append(text, strings.Repeat("0123456789", n/10+1)[:n]+end...)
		}
	}
	want := split(text, most)
	for i := range text {
		s := lines{max: most}
		got := append(cut(&s, text[:i], len(text)), cut(&s, text[i:], len(text))...)
		s.close()
		compare(t, got, want)
	}
}

// A child that once sent a large line does not keep the memory, and the account is even.
func TestLinesShrink(t *testing.T) {
	reserved := 0
	s := lines{max: 8 << 20}
	s.reserve = func(n int) bool { reserved += n; return true }
	s.release = func(n int) { reserved -= n }
	large := append(bytes.Repeat([]byte("x"), 8<<20), '\n')
	small := []byte("0123456789\n")
	if got := cut(&s, large, 64<<10); len(got) != 1 || !s.large() {
		t.Fatalf("%d lines", len(got))
	}
	if reserved != len(s.buf) || reserved > 8<<20+2 {
		t.Errorf("reserved %d for a buffer of %d", reserved, len(s.buf))
	}
	for n := 0; s.large(); n++ {
		if n > shrinkAfter {
			t.Fatal("the buffer is kept")
		}
		cut(&s, small, len(small))
	}
	cut(&s, large, 1<<20)
	cut(&s, small[:5], 5)
	s.shrink() // as after silence: the beginning of a line stays
	if got := cut(&s, small[5:], 6); s.large() || len(got) != 1 || got[0] != "0123456789" {
		t.Errorf("got %q", got)
	}
	cut(&s, large[:1<<20], 1<<20)
	s.close()
	if reserved != 0 {
		t.Errorf("%d bytes are not given back", reserved)
	}
}

// Without memory for a line, that line alone is lost.
func TestLinesWithoutMemory(t *testing.T) {
	s := lines{max: 8 << 20, reserve: func(int) bool { return false }, release: func(int) {}}
	text := append(bytes.Repeat([]byte("x"), 1<<20), "\nnext\n"...)
	got := cut(&s, text, 10_000)
	if len(got) != 2 || !strings.HasPrefix(got[0], "long") || got[1] != "next" {
		t.Errorf("got %.100q", got)
	}
	s.close()
}
