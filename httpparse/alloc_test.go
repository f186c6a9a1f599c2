package httpparse

import (
	"strings"
	"testing"
)

func wantNoAllocs(t *testing.T, why string, f func()) {
	t.Helper()
	if n := testing.AllocsPerRun(100, f); n != 0 {
		t.Errorf("%s: %v allocations, want 0", why, n)
	}
}

func TestAllocations(t *testing.T) {
	var r Request
	head := []byte(mcpHead)
	wantNoAllocs(t, "parse a head", func() {
		if _, err := ParseRequest(&r, head, 0, nil); err != nil {
			t.Fatal(err)
		}
	})
	wantNoAllocs(t, "parse a head octet by octet", func() {
		for i := range head {
			if _, err := ParseRequest(&r, head[:i+1], i, nil); err != nil && err != ErrIncomplete {
				t.Fatal(err)
			}
		}
	})
	if _, err := ParseRequest(&r, head, 0, nil); err != nil {
		t.Fatal(err)
	}
	total := 0
	wantNoAllocs(t, "range over the fields", func() {
		for name, value := range r.Fields() {
			total += len(name) + len(value)
		}
	})
	for _, table := range [][]refusal{requestLineRefusals, fieldRefusals} {
		for _, c := range table {
			in := []byte(strings.Replace(c.in, mark, "", 1))
			if len(in) > 1000 {
				continue
			}
			wantNoAllocs(t, "refuse: "+c.name, func() { ParseRequest(&r, in, 0, c.lim) })
		}
	}

	var d BodyDecoder
	dst := make([]byte, 0, 1024)
	for _, c := range acceptances {
		in := []byte(c.in)
		n, err := ParseRequest(&r, in, 0, c.lim)
		if err != nil || len(in)-n > cap(dst) {
			continue
		}
		wantNoAllocs(t, "decode: "+c.name, func() {
			d.Reset(&r, c.lim)
			d.Append(dst, in[n:])
		})
	}
	for _, c := range bodyRefusals {
		in := []byte(strings.Replace(c.in, mark, "", 1))
		n, err := ParseRequest(&r, in, 0, c.lim)
		if err != nil || len(in)-n > cap(dst) {
			continue
		}
		wantNoAllocs(t, "refuse: "+c.name, func() {
			d.Reset(&r, c.lim)
			d.Append(dst, in[n:])
		})
	}
}
