package jsonrpc

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAppend(t *testing.T) {
	data := json.RawMessage(`{"supported":["a"]}`)
	tests := []struct {
		name, got, want string
	}{
		{"request", string(AppendRequest([]byte("-"), []byte(`"a"`), "tools/call", []byte(`{"x":1}`))), `-{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"x":1}}`},
		{"request without params", string(AppendRequest(nil, []byte("1"), "ping", nil)), `{"jsonrpc":"2.0","id":1,"method":"ping"}`},
		{"notification", string(AppendNotification([]byte("-"), "n", []byte(`{}`))), `-{"jsonrpc":"2.0","method":"n","params":{}}`},
		{"notification without params", string(AppendNotification(nil, "a\"b", nil)), `{"jsonrpc":"2.0","method":"a\"b"}`},
		{"result", string(AppendResult([]byte("-"), []byte("1"), []byte(`[]`))), `-{"jsonrpc":"2.0","id":1,"result":[]}`},
		{"empty result", string(AppendResult(nil, []byte("1"), nil)), `{"jsonrpc":"2.0","id":1,"result":{}}`},
		{"error", string(AppendError([]byte("-"), []byte("1"), &Error{Code: -32602, Message: "a\nb", Data: data})), `-{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"a\nb","data":{"supported":["a"]}}}`},
		{"error without id", string(AppendError(nil, nil, errSyntax)), `{"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error: not a JSON text"}}`},
		{"error of a positive code", string(AppendError(nil, []byte(`"x"`), &Error{Code: 5})), `{"jsonrpc":"2.0","id":"x","error":{"code":5,"message":""}}`},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, tt.got, tt.want)
		}
	}
}

func TestAppendString(t *testing.T) {
	for in, want := range map[string]string{
		"":                       `""`,
		"plain é€😀":              `"plain é€😀"`,
		"\"\\/":                  `"\"\\/"`,
		"\b\f\n\r\t":             `"\b\f\n\r\t"`,
		"\x00\x01\x1f\x7f":       "\"\\u0000\\u0001\\u001f\x7f\"",
		"<&>'":                   `"<&>'"`,
		"a\u0085\u2028\u2029b":   `"a\u0085\u2028\u2029b"`,
		"\u0084\u2027\u202a":     "\"\u0084\u2027\u202a\"",
		"a\xffb\xc3":             `"a�b�"`,
		"\xed\xa0\x80":           `"���"`,
		"\ufeff\ufffd\U0010ffff": "\"\ufeff\ufffd\U0010ffff\"",
	} {
		if got := string(AppendString([]byte("-"), in)); got != "-"+want {
			t.Errorf("AppendString(%q) = %s, want %s", in, got[1:], want)
		}
	}
	// Each code point survives, and no reader of lines sees a line end in it.
	for r := rune(0); r <= utf8.MaxRune; r++ {
		s := string(r)
		out := AppendString(nil, s)
		if got, ok := StringValue(out); !ok || got != s {
			t.Fatalf("%U came back as %q", r, got)
		}
		if strings.ContainsAny(string(out), "\n\r\u0085\u2028\u2029\v\f\x1c\x1d\x1e") {
			t.Fatalf("%U: a line end in %q", r, out)
		}
	}
}

func TestError(t *testing.T) {
	if got, want := errSyntax.Error(), "Parse error: not a JSON text"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	// Is compares codes, also through wrapping.
	wrapped := fmt.Errorf("reading: %w", &Error{Code: CodeInvalidParams, Message: "m"})
	if !errors.Is(wrapped, &Error{Code: CodeInvalidParams}) || errors.Is(wrapped, &Error{Code: CodeParseError}) ||
		errors.Is(wrapped, (*Error)(nil)) {
		t.Error("errors.Is does not compare codes")
	}
	for k, want := range []string{"invalid", "request", "notification", "result", "error response", "invalid"} {
		if got := Kind(k).String(); got != want {
			t.Errorf("Kind %d: String() = %q, want %q", k, got, want)
		}
	}
	// An Error is also marshalled as the error object.
	out, err := json.Marshal(&Error{Code: 1, Message: "m", Data: json.RawMessage(`[2]`)})
	if got, want := string(out), `{"code":1,"message":"m","data":[2]}`; got != want || err != nil {
		t.Errorf("Marshal = %s, %v, want %s", got, err, want)
	}
}

func TestErrorObject(t *testing.T) {
	var m Envelope
	in := []byte(`{"jsonrpc":"2.0","id":1,"error":{"co\u0064e":-32601,"message":"a\tb","data":[1, 2],"more":0}}`)
	if err := m.Decode(in); err != nil {
		t.Fatal(err)
	}
	e := m.ErrorObject()
	clear(in)
	if e.Code != CodeMethodNotFound || e.Message != "a\tb" || string(e.Data) != "[1, 2]" {
		t.Errorf("got %+v", e)
	}
	if err := m.Decode([]byte(`{"jsonrpc":"2.0","id":1,"result":0}`)); err != nil || m.ErrorObject() != nil {
		t.Errorf("a result has an error object: %v, %v", m.ErrorObject(), err)
	}
}
