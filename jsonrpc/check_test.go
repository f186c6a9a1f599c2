package jsonrpc

import (
	"strings"
	"testing"
)

// Check accepts exactly what Decode accepts as a result.
func TestCheck(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, text := range []string{
		`{}`, ` {"a":[1,2.5e3,"x\u00e4",null,true]} `, `"s"`, `7`, `null`, deep(MaxDepth - 1),
		``, ` `, `{`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{} {}`, `[1,]`, "\"\x80\"", `"\ud800"`, deep(MaxDepth), `nul`, `01`,
	} {
		var m Envelope
		want := m.Decode([]byte(`{"jsonrpc":"2.0","id":1,"result":`+text+`}`)) == nil
		if got := Check([]byte(text)) == nil; got != want {
			t.Errorf("Check(%.40q) accepts: %v, Decode: %v", text, got, want)
		}
	}
	if err := Check([]byte(`{"a":1,"a":2}`)); err != error(errDuplicate) {
		t.Errorf("got %v", err)
	}
}
