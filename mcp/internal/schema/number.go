package schema

import (
	"cmp"
	"math/big"
)

// A decimal is the exact value ±mag·10^exp of a number text of up to 18
// significant digits. Normal form: mag is not a multiple of 10; zero is the
// zero decimal. Equal numbers are equal decimals.
type decimal struct {
	mag uint64
	exp int
	neg bool
}

// maxDigits is the number of digits that always fit in a decimal's mag.
const maxDigits = 18

// parseDecimal reads the JSON number text b. It returns false if b has more
// digits than a decimal can hold or an exponent beyond maxExponent.
func parseDecimal(b []byte) (d decimal, ok bool) {
	if len(b) > maxNumberText {
		return decimal{}, false
	}
	i, digits, point := 0, 0, false
	if i < len(b) && b[i] == '-' {
		d.neg = true
		i++
	}
mantissa:
	for ; i < len(b); i++ {
		switch c := b[i]; {
		case c == '.':
			point = true
		case c-'0' > 9:
			break mantissa // the exponent
		default:
			if d.mag != 0 || c != '0' {
				if digits++; digits > maxDigits {
					return decimal{}, false
				}
			}
			d.mag = d.mag*10 + uint64(c-'0')
			if point {
				d.exp--
			}
		}
	}
	if i < len(b) {
		exp, negExp := 0, false
		for _, c := range b[i+1:] {
			switch c {
			case '-':
				negExp = true
			case '+':
			default:
				if exp = exp*10 + int(c-'0'); exp > maxExponent {
					return decimal{}, false
				}
			}
		}
		if negExp {
			exp = -exp
		}
		d.exp += exp
	}
	return d.normal(), true
}

func (d decimal) normal() decimal {
	if d.mag == 0 {
		return decimal{}
	}
	for d.mag%10 == 0 {
		d.mag /= 10
		d.exp++
	}
	return d
}

// ratDecimal converts r. It returns false if r is not a decimal.
func ratDecimal(r *big.Rat) (d decimal, ok bool) {
	ten := big.NewRat(10, 1)
	scaled := new(big.Rat).Abs(r)
	for range maxDigits {
		if scaled.IsInt() {
			break
		}
		scaled.Mul(scaled, ten)
		d.exp--
	}
	if !scaled.IsInt() || !scaled.Num().IsUint64() || digitCount(scaled.Num().Uint64()) > maxDigits+1 {
		return decimal{}, false
	}
	d.mag, d.neg = scaled.Num().Uint64(), r.Sign() < 0
	return d.normal(), true
}

// isInteger reports whether d has no fraction, as 1.0 and 1e2 have none.
func (d decimal) isInteger() bool { return d.exp >= 0 }

// compare returns -1, 0 or +1 as d is less than, equal to or greater than e.
func (d decimal) compare(e decimal) int {
	switch {
	case d == e:
		return 0
	case d.neg != e.neg:
		if d.neg {
			return -1
		}
		return 1
	case d.neg:
		d.neg, e.neg = false, false
		return e.compare(d)
	case d.mag == 0:
		return -1
	case e.mag == 0:
		return 1
	case d.exp == e.exp:
		return cmp.Compare(d.mag, e.mag)
	}
	// If they begin at different decimal places, the place decides. Otherwise
	// both have the same scale within 19 digits, which a uint64 can hold.
	if c := cmp.Compare(digitCount(d.mag)+d.exp, digitCount(e.mag)+e.exp); c != 0 {
		return c
	}
	for d.exp > e.exp {
		d.mag *= 10
		d.exp--
	}
	for e.exp > d.exp {
		e.mag *= 10
		e.exp--
	}
	return cmp.Compare(d.mag, e.mag)
}

func digitCount(m uint64) (n int) {
	for ; m > 0; m /= 10 {
		n++
	}
	return n
}

// multipleOf reports whether d is a whole multiple of m, which is positive. If
// the numbers are too large to decide, ok is false.
func (d decimal) multipleOf(m decimal) (is, ok bool) {
	const most = ^uint64(0) / 10
	for d.exp > m.exp && d.mag != 0 {
		if d.mag > most {
			return false, false
		}
		d.mag *= 10
		d.exp--
	}
	for m.exp > d.exp && d.mag != 0 {
		if m.mag > most {
			return false, false
		}
		m.mag *= 10
		m.exp--
	}
	if m.mag == 0 {
		return false, false
	}
	return d.mag%m.mag == 0, true
}

// A numberRule is one bound on a number.
type numberRule struct {
	op  numberOp
	val decimal
}

type numberOp uint8

const (
	opMinimum numberOp = iota
	opMaximum
	opAbove // exclusiveMinimum
	opBelow // exclusiveMaximum
	opMultiple
)

func (r *numberRule) check(d decimal) verdict {
	ok := false
	switch r.op {
	case opMinimum:
		ok = d.compare(r.val) >= 0
	case opMaximum:
		ok = d.compare(r.val) <= 0
	case opAbove:
		ok = d.compare(r.val) > 0
	case opBelow:
		ok = d.compare(r.val) < 0
	case opMultiple:
		is, sure := d.multipleOf(r.val)
		if !sure {
			return unsure
		}
		ok = is
	}
	if ok {
		return yes
	}
	return no
}
