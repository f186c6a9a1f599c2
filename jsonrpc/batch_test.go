package jsonrpc

import (
	"errors"
	"slices"
	"testing"
)

func TestBatch(t *testing.T) {
	tests := []struct {
		name, in string
		want     []string // the description of each element, or of DecodeBatch's refusal
	}{
		{"two", ` [ {"jsonrpc":"2.0","id":1,"method":"a"} , {"jsonrpc":"2.0","method":"b","params":{}} ] `, []string{"request|1|a|||", "notification||b|{}||"}},
		// These are the calls with an empty array and with an invalid batch of
		// JSON-RPC 2.0, section 7.
		{"section 7, empty array", `[]`, []string{"-32600|"}},
		{"section 7, not empty, but invalid", `[1]`, []string{"-32600|"}},
		{"section 7, invalid", `[1,2,3]`, []string{"-32600|", "-32600|", "-32600|"}},
		{"section 7, bad JSON", `[{"jsonrpc": "2.0", "method": "sum", "params": {}, "id": "1"},{"jsonrpc": "2.0", "method"]`, []string{"-32700|"}},
		{"good and bad", `[{"jsonrpc":"2.0","id":1,"result":0},[],{"id":"x"}]`, []string{"result|1|||0|", "-32600|", `-32600|"x"`}},
		{"same ids", `[{"jsonrpc":"2.0","id":1,"method":"a"},{"jsonrpc":"2.0","id":1,"method":"a"}]`, []string{"request|1|a|||", "request|1|a|||"}},
		{"empty text", ``, []string{"-32700|"}},
		{"object", `{}`, []string{"-32600|"}},
		{"scalar", `1`, []string{"-32600|"}},
		{"something after it", `[1]1`, []string{"-32700|"}},
		{"bad UTF-8", "[\"\xff\"]", []string{"-32700|"}},
		{"name twice in an element", `[{"a":1,"a":1}]`, []string{"-32700|"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var m Envelope
			var got []string
			b, err := DecodeBatch([]byte(tt.in))
			if err != nil {
				got = append(got, describe(&m, err))
			} else if b.Len() != len(tt.want) {
				t.Errorf("Len() = %d, want %d", b.Len(), len(tt.want))
			}
			for err := range b.Messages(&m) {
				got = append(got, describe(&m, err))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%s\n got %q\nwant %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestBatchLeftEarly(t *testing.T) {
	b, err := DecodeBatch([]byte(`[1,{"jsonrpc":"2.0","method":"b"}]`))
	if err != nil {
		t.Fatal(err)
	}
	var m Envelope
	for err := range b.Messages(&m) {
		var e *Error
		if !errors.As(err, &e) || e.Code != CodeInvalidRequest {
			t.Errorf("first element: %v", err)
		}
		break
	}
	if m.Kind != 0 {
		t.Errorf("the second element was decoded: %+v", m)
	}
}

func TestIsBatch(t *testing.T) {
	for in, want := range map[string]bool{"": false, " ": false, "{}": false, "[": true, "\n\t\r [1]": true, "\f[": false, "1": false, `"["`: false} {
		if got := IsBatch([]byte(in)); got != want {
			t.Errorf("IsBatch(%q) = %v, want %v", in, got, want)
		}
	}
}
