package httpparse

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"
)

const (
	alpha     = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digit     = "0123456789"
	subDelims = "!$&'()*+,;="
)

// The table of octets must agree with the grammars that it represents.
func TestOctets(t *testing.T) {
	for i := range 256 {
		c := byte(i)
		in := func(set string) bool { return strings.IndexByte(set, c) >= 0 }
		vchar := 0x21 <= c && c <= 0x7e
		text := c == '\t' || c == ' ' || vchar || c >= 0x80
		for _, class := range []struct {
			name string
			bit  uint8
			want bool
		}{
			{"tchar", isToken, in("!#$%&'*+-.^_`|~" + digit + alpha)},
			{"target", isTarget, in(alpha + digit + "-._~" + subDelims + ":@/[]")},
			{"field-value", isValue, text},
			{"reg-name", isRegName, in(alpha+digit+"-._~"+subDelims) && c != ','},
			{"HEXDIG", isHex, in(digit + "abcdefABCDEF")},
			{"qdtext", isQuoted, text && c != '"' && c != '\\'},
		} {
			if got := octets[c]&class.bit != 0; got != class.want {
				t.Errorf("octet %#02x is %s: %v, want %v", c, class.name, got, class.want)
			}
		}
	}
}

// The word functions find the octet that a loop would find, in every place and for
// every octet, among octets that are near the limits of their tests.
func TestWords(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	near := []byte("\x00\x08\t\x1f !,-./09:;@AZ[_`az{~\x7f\x80\x81\x9f\xa0\xad\xba\xdf\xe1\xff")
	first := func(b []byte, stop func(byte) bool) int {
		for i, c := range b {
			if stop(c) {
				return i
			}
		}
		return 8
	}
	control := func(c byte) bool { return c < 0x20 || c == 0x7f }
	nameLike := func(c byte) bool { return strings.IndexByte(alpha+"-", c) >= 0 }
	var b [8]byte
	for n := range 400_000 {
		for i := range b {
			b[i] = near[rnd.IntN(len(near))]
			if rnd.IntN(3) > 0 {
				b[i] = 'm'
			}
		}
		b[n%8] = byte(n / 8)
		w := binary.LittleEndian.Uint64(b[:])
		find := func(mask uint64) int {
			if mask == 0 {
				return 8
			}
			return firstOctet(mask)
		}
		if got, want := find(controls(w)), first(b[:], control); got != want {
			t.Fatalf("controls(%q) = %d, want %d", b, got, want)
		}
		if got, want := find(notNameLike(w)), first(b[:], func(c byte) bool { return !nameLike(c) }); got != want {
			t.Fatalf("notNameLike(%q) = %d, want %d", b, got, want)
		}
		hostLike := func(c byte) bool { return strings.IndexByte(alpha+digit+"-.", c) >= 0 }
		if got, want := find(notHostLike(w)), first(b[:], func(c byte) bool { return !hostLike(c) }); got != want {
			t.Fatalf("notHostLike(%q) = %d, want %d", b, got, want)
		}
		suspect := func(c byte) bool { return control(c) || c >= 0x80 }
		if got, want := find(suspects(w)), first(b[:], suspect); got != want {
			t.Fatalf("suspects(%q) = %d, want %d", b, got, want)
		}
	}
}
