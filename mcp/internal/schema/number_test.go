package schema

import (
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Decimals compare and divide as the rationals that they stand for.
func TestDecimalIsExact(t *testing.T) {
	gen := rapid.Custom(func(t *rapid.T) string {
		return rapid.StringMatching(`-?(0|[1-9][0-9]{0,6}|[1-9][0-9]{15,19})(\.[0-9]{1,4})?([eE][+-]?[0-9]{1,2})?`).Draw(t, "number")
	})
	sure := 0
	rapid.Check(t, func(t *rapid.T) {
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		if rapid.Bool().Draw(t, "same") {
			b = a
			if !strings.ContainsAny(b, ".eE") {
				b += ".00"
			}
		}
		ra, _ := new(big.Rat).SetString(a)
		rb, _ := new(big.Rat).SetString(b)
		da, ok := parseDecimal([]byte(a))
		if !ok {
			return
		}
		if da.isInteger() != ra.IsInt() {
			t.Fatalf("isInteger(%s) = %v", a, da.isInteger())
		}
		if fa, ok := ratDecimal(ra); ok && fa != da {
			t.Fatalf("%s parsed is %v, as a rational %v", a, da, fa)
		}
		// One side may have a digit more: a bound of the schema.
		db, ok := ratDecimal(rb)
		if !ok {
			return
		}
		sure++
		if got, want := da.compare(db), ra.Cmp(rb); got != want {
			t.Fatalf("compare(%s, %s) = %d, want %d", a, b, got, want)
		}
		if got, want := db.compare(da), rb.Cmp(ra); got != want {
			t.Fatalf("compare(%s, %s) = %d, want %d", b, a, got, want)
		}
		if rb.Sign() > 0 {
			if is, ok := da.multipleOf(db); ok && is != new(big.Rat).Quo(ra, rb).IsInt() {
				t.Fatalf("multipleOf(%s, %s) = %v", a, b, is)
			}
		}
	})
	if sure == 0 {
		t.Error("nothing was compared")
	}
}
