package jsonrpc

import (
	"strings"
	"testing"
)

// wantAllocs runs f many times and fails if it allocates.
func wantAllocs(t *testing.T, what string, f func()) {
	t.Helper()
	if n := testing.AllocsPerRun(200, f); n != 0 {
		t.Errorf("%s: %v allocations, want 0", what, n)
	}
}

func TestAllocs(t *testing.T) {
	var m Envelope
	for _, bt := range benchTexts {
		wantAllocs(t, "Decode "+bt.name, func() { m.Decode(bt.text) })
	}
	for _, seed := range mutationSeeds {
		text := []byte(seed)
		wantAllocs(t, "Decode "+seed, func() { m.Decode(text) })
	}
	// The hash set of an object with many names comes from a pool and goes back.
	many := distinctNames(3 * minSlots / 4)
	wantAllocs(t, "Decode of many names", func() { m.Decode(many) })
	for _, refused := range []string{
		``, `{`, `[]`, "\xff", `{"a":1,"a":2}`, `{"jsonrpc":"2.0","id":1}`, `{"jsonrpc":"2.0","id":null,"method":"a"}`, `{"jsonrpc":"2.0","id":1,"\u004dethod":""}`, strings.Repeat("[", 200),
	} {
		text := []byte(refused)
		wantAllocs(t, "refusal of "+refused, func() {
			if m.Decode(text) == nil {
				t.Fatal("not refused")
			}
		})
	}
	obj := []byte(`{"a":1,"\u0062":"x","c":{"d":[1,2,3]}}`)
	wantAllocs(t, "walk", func() {
		n := 0
		for name, value := range Members(obj) {
			if EqualString(name, "c") {
				d, _ := Member(value, "d")
				for e := range Elements(d) {
					i, _ := IntValue(e)
					n += int(i)
				}
			}
		}
		if n != 6 {
			t.Fatal(n)
		}
	})
	batch := []byte(`[{"jsonrpc":"2.0","method":"a"},1,{"jsonrpc":"2.0","id":1,"method":"b"}]`)
	wantAllocs(t, "batch", func() {
		b, _ := DecodeBatch(batch)
		for range b.Messages(&m) {
		}
	})
	dst := make([]byte, 0, 512)
	id, value, fail := []byte(`"id"`), []byte(`{"a":1}`), &Error{Code: CodeInvalidParams, Message: "no\n", Data: []byte(`1`)}
	wantAllocs(t, "append", func() {
		dst = AppendRequest(dst[:0], id, "m", value)
		dst = AppendNotification(dst[:0], "m", value)
		dst = AppendResult(dst[:0], id, value)
		dst = AppendError(dst[:0], id, fail)
		dst = AppendString(dst[:0], "a\"\u2028\xff")
		dst = Unquote(dst[:0], id)
	})
}
