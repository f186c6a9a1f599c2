package jsonrpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
)

func TestEncodeMessage(t *testing.T) {
	id := func(v any) ID {
		id, err := MakeID(v)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	refusal := &Error{Code: -32042, Message: "no", Data: json.RawMessage("[1,\n2]")}
	tests := []struct {
		why  string
		m    Message
		want string
	}{
		{"a request", &Request{ID: id(7.0), Method: "a", Params: json.RawMessage("{\"x\":\n1}")}, `{"jsonrpc":"2.0","id":7,"method":"a","params":{"x":1}}`},
		{"a notification", &Request{Method: "n"}, `{"jsonrpc":"2.0","method":"n"}`},
		{"an id with quotation marks", &Request{ID: id(`a"b`), Method: "a"}, `{"jsonrpc":"2.0","id":"a\"b","method":"a"}`},
		{"a result", &Response{ID: id("x"), Result: json.RawMessage(`[]`)}, `{"jsonrpc":"2.0","id":"x","result":[]}`},
		{"no result", &Response{ID: id(1)}, `{"jsonrpc":"2.0","id":1,"result":{}}`},
		{"an error", &Response{ID: id(int64(1)), Error: refusal}, `{"jsonrpc":"2.0","id":1,"error":{"code":-32042,"message":"no","data":[1,2]}}`},
		{"a wrapped error", &Response{Error: fmt.Errorf("here: %w", refusal)}, `{"jsonrpc":"2.0","error":{"code":-32042,"message":"here: no","data":[1,2]}}`},
		{"another error", &Response{ID: id(1), Error: errors.New("boo")}, `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"boo"}}`},
	}
	for _, tt := range tests {
		got, err := EncodeMessage(tt.m)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %s, %v, want %s", tt.why, got, err, tt.want)
			continue
		}
		again, err := DecodeMessage(got)
		if err != nil {
			t.Errorf("%s: %v", tt.why, err)
			continue
		}
		if back, err := EncodeMessage(again); err != nil || !bytes.Equal(back, got) {
			t.Errorf("%s: decoded and encoded again %s, %v, want %s", tt.why, back, err, got)
		}
	}
	if _, err := EncodeMessage(&Request{Method: "a", Params: json.RawMessage(`{`)}); err == nil {
		t.Error("params that are not JSON were encoded")
	}
}

func TestIDs(t *testing.T) {
	for _, tt := range []struct {
		in   any
		want any
	}{{nil, nil}, {"", ""}, {"a", "a"}, {1.0, int64(1)}, {-5, int64(-5)}, {int64(9), int64(9)}} {
		id, err := MakeID(tt.in)
		if err != nil || id.Raw() != tt.want || id.IsValid() != (tt.in != nil) {
			t.Errorf("MakeID(%v) = %v, %v", tt.in, id, err)
		}
	}
	for _, v := range []any{1.5, true, []int{}, string(make([]byte, MaxIDLength+1)), 1e300} {
		if id, err := MakeID(v); err == nil {
			t.Errorf("MakeID(%v) = %v", v, id)
		}
	}
	a, _ := DecodeMessage([]byte(`{"jsonrpc":"2.0","id":"\u0061","method":"m"}`))
	b, _ := MakeID("a")
	if a.(*Request).ID != b {
		t.Errorf("the id %v is not %v", a.(*Request).ID, b)
	}
	big, err := DecodeMessage([]byte(`{"jsonrpc":"2.0","id":9999999999999999999,"method":"m"}`))
	if err != nil || big.(*Request).ID.Raw() != json.Number("9999999999999999999") {
		t.Errorf("a long id is %v, %v", big, err)
	}
}

// FuzzMessage checks that what DecodeMessage accepts survives a round trip, and that it accepts
// what Envelope.Decode accepts.
func FuzzMessage(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"method":"a","params":{ "x" : [1 ] }}`))
	f.Add([]byte(`{"jsonrpc":"2.0","error":{"code":1,"message":"m","data":null}}`))
	f.Add([]byte(`{"jsonrpc":"2.0","id":"\u2028","result":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var e Envelope
		want := e.Decode(data)
		m, err := DecodeMessage(data)
		if (err == nil) != (want == nil) {
			t.Fatalf("DecodeMessage: %v, Envelope.Decode: %v", err, want)
		}
		if err != nil {
			return
		}
		text, err := EncodeMessage(m)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.ContainsAny(text, "\n\r") {
			t.Fatalf("a line end in %q", text)
		}
		again, err := DecodeMessage(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if back, err := EncodeMessage(again); err != nil || !bytes.Equal(back, text) {
			t.Fatalf("%s became %s, %v", text, back, err)
		}
	})
}
