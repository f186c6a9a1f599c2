package child

import (
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

func TestClassify(t *testing.T) {
	for _, tt := range []struct {
		msg string
		id  int64
		c   class
	}{
		{`{"jsonrpc":"2.0","id":7,"result":{}}`, 7, response},
		{`{"result":{"id":8,"method":"x"},"jsonrpc":"2.0","id":7}`, 7, response},
		{`{"jsonrpc":"2.0","id":7,"error":{"code":-32603,"message":"no"}}`, 7, response},
		{`{"jsonrpc":"2.0","id":7,"method":"ping"}`, 0, other},
		{`{"jsonrpc":"2.0","method":"x","result":1,"id":7}`, 0, other},
		{`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no"}}`, 0, other},
		{`{"jsonrpc":"2.0","id":"7","result":{}}`, 0, other},
		{`{"jsonrpc":"2.0","id":7.5,"result":{}}`, 0, other},
		{`{"jsonrpc":"2.0","id":7}`, 0, stray},
		{`{"level":"info","msg":"result"}`, 0, stray},
		{`{'id': 7, 'result': 1}`, 0, stray},
		{`{`, 0, stray},
		{`{"`, 0, stray},
	} {
		if id, c := classify([]byte(tt.msg)); id != tt.id || c != tt.c {
			t.Errorf("%s: got %d, %d", tt.msg, id, c)
		}
	}
}

func TestRequestOf(t *testing.T) {
	x := strings.Repeat("x", 2000)
	for _, tt := range []struct {
		msg string
		id  int64 // 0 if there is none to be found
	}{
		{`{"jsonrpc":"2.0","id":7,"result":"` + x + `"}`, 7},
		{` {"jsonrpc":"2.0","id":7,"error":{"message":"` + x + `"}}`, 7},
		{`{"result":"` + x + `","jsonrpc":"2.0","id":7}`, 7},
		{`{"result":"` + x + `" , "id" : 7 } `, 7},
		{`{"result":"` + x + `","id":-7}`, -7},
		{`{"result":"` + x + `","id":"7"}`, 0},
		{`{"result":"` + x + `\",\"id\":7}`, 0},
		{`{"result":{"x":"` + x + `","id":7}}`, 0},
		{`{"result":["` + x + `","id":7]`, 0},
		{`{"params":"` + x + `","id":7}`, 0},
		{`{"id":7,"method":"x","params":"` + x + `"}`, 0},
		{`{"id":7,"params":"` + x + `","result":1}`, 0},
		{`{"x":"` + x + `","id":7}`, 0},
		{`[{"id":7,"result":"` + x + `"}]`, 0},
		{`{"result":1,"y":"` + strings.Repeat("y", keptHead-len(`{"result":1,"y":"","id":12`)) + `","id":1234,"x":"` + x + `"}`, 0},
		{x, 0},
		{``, 0},
	} {
		l := longLine{[]byte(tt.msg[:min(len(tt.msg), keptHead)]), []byte(tt.msg[max(len(tt.msg)-keptTail, 0):])}
		if id, ok := requestOf(&l); id != tt.id || ok != (tt.id != 0) {
			t.Errorf("%.60s…%.60s: got %d, %t", tt.msg, l.tail, id, ok)
		}
	}
}

// FuzzClassify compares with the strict decoder on what that accepts, and what is found in a line
// that is too long with what is found in the whole line.
func FuzzClassify(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","id":7,"result":{}}`))
	f.Add([]byte(`{"result":{"a":"\",\"id\":7}"},"jsonrpc":"2.0","id":8}`))
	f.Add([]byte(`{"id":1,"method":"x","params":{}}`))
	f.Add([]byte(`{"error":{"code":1,"message":""},"id":null,"jsonrpc":"2.0"}`))
	f.Fuzz(func(t *testing.T, msg []byte) {
		if len(msg) == 0 || msg[0] != '{' {
			return
		}
		id, c := classify(msg)
		var e jsonrpc.Envelope
		if e.Decode(msg) != nil {
			return
		}
		want, ok := jsonrpc.IntValue(e.ID)
		isResponse := e.Kind == jsonrpc.KindResult || e.Kind == jsonrpc.KindErrorResponse
		switch {
		case c == stray:
			t.Fatalf("%s: stray", msg)
		case isResponse && ok && (c != response || id != want):
			t.Fatalf("%s: got %d, %d", msg, id, c)
		case !isResponse && c != other:
			t.Fatalf("%s: class %d", msg, c)
		}
		head, tail := msg[:min(len(msg), keptHead)], msg[max(len(msg)-keptTail, 0):]
		if found, ok := requestOf(&longLine{head, tail}); ok && (c != response || found != id) {
			t.Fatalf("%s: found request %d", msg, found)
		}
	})
}
