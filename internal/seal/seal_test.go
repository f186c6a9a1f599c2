package seal

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func ring(t testing.TB, purpose string, keys ...string) *Ring {
	t.Helper()
	var bs [][]byte
	for _, k := range keys {
		bs = append(bs, bytes.Repeat([]byte(k), 32))
	}
	r, err := NewRing(purpose, bs...)
	if err != nil {
		t.Fatalf("NewRing(%q, %q): %v", purpose, keys, err)
	}
	return r
}

func TestOpenGivesBackWhatWasSealed(t *testing.T) {
	r := ring(t, "state", "a")
	rapid.Check(t, func(t *rapid.T) {
		prefix := rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "prefix")
		plain := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "plain")
		aad := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "aad")
		text := r.Seal(bytes.Clone(prefix), plain, aad)
		if !bytes.HasPrefix(text, prefix) {
			t.Fatalf("Seal changed the previous content of dst: %q", text)
		}
		text = text[len(prefix):]
		if len(text) != SealedLen(len(plain)) {
			t.Fatalf("sealed %d octets in %d, SealedLen says %d", len(plain), len(text), SealedLen(len(plain)))
		}
		got, err := r.Open(bytes.Clone(prefix), text, aad)
		if err != nil || !bytes.Equal(got, append(bytes.Clone(prefix), plain...)) {
			t.Fatalf("Open = %q, %v, want %q behind %q", got, err, plain, prefix)
		}
	})
}

// A text has one spelling, whatever its length: no line break in it, behind it or before it.
func TestOpenRefusesLineBreaks(t *testing.T) {
	r := ring(t, "state", "a")
	for n := range 12 {
		text := r.Seal(nil, make([]byte, n), nil)
		for _, br := range []string{"\n", "\r", "\r\n", "\n\n\n", "\n\n\n\n"} {
			for _, at := range []int{0, 1, len(text) / 2, len(text) - 1, len(text)} {
				bad := string(text[:at]) + br + string(text[at:])
				if _, err := r.Open(nil, []byte(bad), nil); !errors.Is(err, ErrInvalid) {
					t.Errorf("%d octets: with %q at %d of %d: %v, want ErrInvalid", n, br, at, len(text), err)
				}
			}
		}
	}
}

func TestOpenRefusesEveryChangedCharacter(t *testing.T) {
	r := ring(t, "state", "a")
	text := r.Seal(nil, []byte("state"), []byte("tools/call"))
	for i := range text {
		for _, c := range []byte("A_z\n=") {
			if text[i] == c {
				continue
			}
			bad := bytes.Clone(text)
			bad[i] = c
			if got, err := r.Open(nil, bad, []byte("tools/call")); !errors.Is(err, ErrInvalid) || len(got) != 0 {
				t.Fatalf("character %d as %q: Open = %q, %v, want ErrInvalid", i, c, got, err)
			}
		}
	}
	for n := range text {
		if _, err := r.Open(nil, text[:n], []byte("tools/call")); !errors.Is(err, ErrInvalid) {
			t.Fatalf("first %d characters: %v, want ErrInvalid", n, err)
		}
	}
}

func TestOpenRefusesOtherSpellings(t *testing.T) {
	r := ring(t, "state", "a")
	// 5 octets leave unused bits in the last character.
	text := string(r.Seal(nil, []byte("12345"), nil))
	for _, bad := range []string{text + "=", text + "\n", text[:8] + "\r\n" + text[8:], " " + text, text + "A"} {
		if _, err := r.Open(nil, []byte(bad), nil); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v, want ErrInvalid", bad, err)
		}
	}
}

func TestOpenNeedsTheSameAdditionalDataPurposeAndKey(t *testing.T) {
	r := ring(t, "state", "a")
	text := r.Seal(nil, []byte("x"), []byte("alice"))
	if _, err := r.Open(nil, text, []byte("bob")); !errors.Is(err, ErrInvalid) {
		t.Errorf("other additional data: %v, want ErrInvalid", err)
	}
	if _, err := ring(t, "cursor", "a").Open(nil, text, []byte("alice")); !errors.Is(err, ErrInvalid) {
		t.Errorf("other purpose: %v, want ErrInvalid", err)
	}
	if _, err := ring(t, "state", "b").Open(nil, text, []byte("alice")); !errors.Is(err, ErrInvalid) {
		t.Errorf("other key: %v, want ErrInvalid", err)
	}
	if got, err := ring(t, "state", "a").Open(nil, text, []byte("alice")); err != nil || string(got) != "x" {
		t.Errorf("another ring with the same key: %q, %v", got, err)
	}
}

func TestRotation(t *testing.T) {
	old, both, next := ring(t, "s", "a"), ring(t, "s", "b", "a"), ring(t, "s", "b")
	if got, err := both.Open(nil, old.Seal(nil, []byte("x"), nil), nil); err != nil || string(got) != "x" {
		t.Errorf("second key does not open: %q, %v", got, err)
	}
	text := both.Seal(nil, []byte("y"), nil)
	if got, err := next.Open(nil, text, nil); err != nil || string(got) != "y" {
		t.Errorf("the first key did not seal: %q, %v", got, err)
	}
	if _, err := old.Open(nil, text, nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("the old key opens what the new one sealed: %v", err)
	}
}

func TestNewRingRefusals(t *testing.T) {
	if _, err := NewRing("s", []byte("too short")); err == nil || !strings.HasPrefix(err.Error(), "seal: ") {
		t.Errorf("short key: %v", err)
	}
	k := bytes.Repeat([]byte("k"), 32)
	if _, err := NewRing("s", k, k); err == nil {
		t.Error("a duplicate key was accepted")
	}
}

func TestRandomKeysDiffer(t *testing.T) {
	if _, err := ring(t, "s").Open(nil, ring(t, "s").Seal(nil, nil, nil), nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("two rings without keys open each other's texts: %v", err)
	}
}

// A nonce must never repeat, even when a prefix is used up while many goroutines seal.
func TestNoncesNeverRepeat(t *testing.T) {
	r := ring(t, "s", "a")
	first := r.epoch.Load()
	first.used.Store(maxUses - 100)
	var mu sync.Mutex
	seen := make(map[string]bool)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				n := string(r.appendNonce(nil))
				mu.Lock()
				if len(n) != nonceLen || seen[n] {
					t.Errorf("nonce %x has a wrong length or repeats", n)
				}
				seen[n] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if r.epoch.Load() == first {
		t.Error("the used-up prefix is still in use")
	}
}

func TestAllocations(t *testing.T) {
	r := ring(t, "s", "a")
	plain, aad := make([]byte, 100), make([]byte, 16)
	text, out := make([]byte, 0, 1024), make([]byte, 0, 1024)
	got := testing.AllocsPerRun(100, func() {
		text = r.Seal(text[:0], plain, aad)
		out, _ = r.Open(out[:0], text, aad)
	})
	if got != 0 {
		t.Errorf("Seal and Open into buffers with room allocate %v times, want 0", got)
	}
}

func BenchmarkSealOpen(b *testing.B) {
	for _, n := range []int{32, 96, 512} {
		b.Run(fmt.Sprintf("%d", n), func(b *testing.B) {
			r := ring(b, "s", "a")
			plain, aad := make([]byte, n), make([]byte, 48)
			var text, out []byte
			b.ReportAllocs()
			for b.Loop() {
				text = r.Seal(text[:0], plain, aad)
				var err error
				if out, err = r.Open(out[:0], text, aad); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
