package jsonrpc

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math"
	"math/bits"
	"slices"
	"strings"
	"testing"
	"time"
)

// The lowest mark of stringStops is exact, whatever the other bytes are.
func TestStringStops(t *testing.T) {
	stops := func(c byte) bool { return c < 0x20 || c == '"' || c == '\\' }
	fills := []byte{'a', ' ', '!', '#', '[', ']', 0x7f, 0x80, 0x82, 0xa0, 0xa2, 0xdc, 0xff}
	var w [8]byte
	for _, fill := range fills {
		for at := range w {
			for c := range 256 {
				for _, after := range []byte{fill, 0, '"', '\\', 0x1f, 0xff} {
					for i := range w {
						w[i] = fill
						if i > at {
							w[i] = after
						}
					}
					w[at] = byte(c)
					want := 8
					for i := range w {
						if stops(w[i]) {
							want = i
							break
						}
					}
					if got := bits.TrailingZeros64(stringStops(binary.LittleEndian.Uint64(w[:]))) >> 3; got != want {
						t.Fatalf("% x: first stop at %d, want %d", w, got, want)
					}
				}
			}
		}
	}
}

// A character is placed everywhere in strings of every length up to three words, so
// that both the eight-byte steps and the single ones find it.
func TestStringPlaces(t *testing.T) {
	for n := 1; n <= 24; n++ {
		for at := range n {
			for _, c := range []string{"\x00", "\x1f", " ", "!", "\\n", "\\\\", "\\\"", "\\", "\"", "\x7f", "\n", "é", "\xff", `\u00e9`, `\ud800`} {
				text := `"` + strings.Repeat("x", at) + c + strings.Repeat("y", n-at-1) + `"`
				agree(t, []byte("["+text+"]"))
				agree(t, []byte(text))
			}
		}
	}
}

// Duplicate names are found at every distance, in objects of sizes around the one at
// which the names move into a hash set, and around those at which it grows.
func TestNamesTwice(t *testing.T) {
	spell := []func(i int) string{
		func(i int) string { return fmt.Sprintf(`"n%d"`, i) },
		func(i int) string { return fmt.Sprintf(`"\u006e%d"`, i) },
	}
	for _, n := range []int{2, 3, smallNames - 1, smallNames, smallNames + 1, smallNames + 2, 47, 48, 49, 50, 97, 200} {
		for twice := range n {
			for variant := range 4 {
				var b strings.Builder
				for i := range n {
					fmt.Fprintf(&b, `%s:{"n0":%d},`, spell[variant&1](i), i)
				}
				text := func(last string) string { return "{" + b.String() + last + ":0}" }
				if got := acceptedJSON(new(Envelope).Decode([]byte(text(spell[variant>>1](n))))); !got {
					t.Fatalf("%d distinct names and one more: refused", n)
				}
				if got := new(Envelope).Decode([]byte(text(spell[variant>>1](twice)))); got != error(errDuplicate) {
					t.Fatalf("%d distinct names and the one at %d again: %v", n, twice, got)
				}
			}
			if n > 60 && twice > 5 {
				break
			}
		}
	}
}

// What an object leaves in a pooled set must not reach the next object.
func TestNamesForgotten(t *testing.T) {
	text := distinctNames(500)
	nested := []byte(`{"jsonrpc":"2.0","method":"m","params":{"a":[` + strings.Repeat(string(text)+",", 5) + string(text) + `]}}`)
	bad := append(distinctNames(500)[:len(text)-2], `,"0":0}}`...)
	var m Envelope
	for range 20 {
		for range 3 {
			if err := m.Decode(nested); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.Decode(bad); err != error(errDuplicate) {
			t.Fatalf("got %v, want %v", err, errDuplicate)
		}
	}
}

// Sets of many open levels do not disturb each other.
func TestNamesNested(t *testing.T) {
	open := string(distinctNames(40))
	open = open[strings.Index(open, `"params":`)+len(`"params":`) : len(open)-2]
	text := strings.Repeat(open+`,"deep":`, MaxDepth-1) + open + strings.Repeat("}", MaxDepth)
	if got := acceptsText(t, text); !got {
		t.Error("refused")
	}
	if got := acceptsText(t, strings.Replace(text+"}", "}", `,"0":0}`, 1)); got {
		t.Error("a name twice in the innermost object: accepted")
	}
	last := strings.LastIndex(text, "}")
	if got := acceptsText(t, text[:last]+`,"0":0}`); got {
		t.Error("a name twice in the outermost object: accepted")
	}
}

// Eight times the names take about eight times as long. The limit leaves room for a
// busy machine and is far below the 64 times of a quadratic search.
func TestNamesLinear(t *testing.T) {
	const few, factor, bound = 10_000, 8, 30
	escaped := func(text []byte) []byte { return bytes.ReplaceAll(text, []byte(`:0,"`), []byte(`:0,"\u0061`)) }
	best := func(text []byte) time.Duration {
		shortest := time.Duration(math.MaxInt64)
		for range 3 {
			start := time.Now()
			if err := new(Envelope).Decode(text); err != nil {
				t.Fatal(err)
			}
			shortest = min(shortest, time.Since(start))
		}
		return shortest
	}
	for name, spell := range map[string]func([]byte) []byte{"plain": func(b []byte) []byte { return b }, "escaped": escaped} {
		short, long := best(spell(distinctNames(few))), best(spell(distinctNames(few*factor)))
		if long > bound*short {
			t.Errorf("%s: %d names took %v, %d times as many %v", name, few, short, factor, long)
		}
	}
}

func TestSetsAreClearedForThePool(t *testing.T) {
	s := &nameSet{seed: maphash.MakeSeed(), slots: make([]uint64, minSlots)}
	if text := []byte(`"a"`); !s.add(text, 1, 2, false) || s.add(text, 1, 2, false) {
		t.Fatal("a name is not found again")
	}
	s.release()
	if s.n != 0 || slices.Max(s.slots) != 0 {
		t.Errorf("a set of %d names went to the pool", s.n)
	}
}

func TestLargeSetsAreNotKept(t *testing.T) {
	var s names
	text := distinctNames(10_000)
	for i := range text { // each byte of the text is a name; names need no quotation marks here
		if text[i] != '"' {
			continue
		}
		if end := strings.IndexByte(string(text[i+1:min(len(text), i+8)]), '"'); end > 0 && text[i+1+end+1] == ':' {
			s.add(text, i+1, i+1+end, false)
		}
	}
	if s.set == nil || len(s.set.slots) <= maxPooled {
		t.Fatal("the set is smaller than the test wants it")
	}
	large := s.set
	s.release()
	if large.n == 0 {
		t.Error("a large set was cleared for the pool")
	}
	if s.set != nil {
		t.Error("the set is still there after release")
	}
}
