package sse

import (
	"strings"
	"testing"
	"time"
)

func TestAppendData(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"JSON", `{"a":1}`, "data: {\"a\":1}\n\n"},
		{"empty", "", "data: \n\n"},
		{"leading space", " a", "data:  a\n\n"},
		{"LF", "{\n}", "data: {\ndata: }\n\n"},
		{"CR", "{\r}", "data: {\ndata: }\n\n"},
		{"CRLF", "{\r\n}", "data: {\ndata: }\n\n"},
		{"LF CR", "{\n\r}", "data: {\ndata: \ndata: }\n\n"},
		{"line ends at the edges", "\na\r", "data: \ndata: a\ndata: \n\n"},
		{"only line ends", "\n\n", "data: \ndata: \ndata: \n\n"},
		{"U+2028", "\"a\u2028b\"", "data: \"a\\u2028b\"\n\n"},
		{"U+2029", "\"\u2029\u2029\"", "data: \"\\u2029\\u2029\"\n\n"},
		{"U+0085", "\"\u0085\"", "data: \"\\u0085\"\n\n"},
		{"neighbours", "\u2027\u202a\u0084\u0086\u00a0é€\u2128", "data: \u2027\u202a\u0084\u0086\u00a0é€\u2128\n\n"},
		{"cut characters", "\xe2\x80", "data: \xe2\x80\n\n"},
		{"cut characters, then one", "\xe2\xe2\x80\xa8\xc2\xc2\x85\xc2", "data: \xe2\\u2028\xc2\\u0085\xc2\n\n"},
		{"fields inside", "a\nid: x\n\nevent: y", "data: a\ndata: id: x\ndata: \ndata: event: y\n\n"},
	}
	for _, tt := range tests {
		if got := string(AppendData([]byte("-"), []byte(tt.in))); got != "-"+tt.want {
			t.Errorf("%s: AppendData(%q)\n got %q\nwant %q", tt.name, tt.in, got, "-"+tt.want)
		}
	}
}

func TestAppendComment(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"keep-alive", "", ":\n\n"},
		{"text", " ping", ": ping\n\n"},
		{"lines", "a\nb\rc\r\nd", ":a\n:b\n:c\n:d\n\n"},
		{"no field comes out", "\n\ndata: x\n", ":\n:\n:data: x\n:\n\n"},
		{"false line ends", "a\u2028b\u2029\u0085é\u2027", ":a\n:b\n:\n:é\u2027\n\n"},
	}
	for _, tt := range tests {
		if got := string(AppendComment([]byte("-"), tt.in)); got != "-"+tt.want {
			t.Errorf("%s: AppendComment(%q)\n got %q\nwant %q", tt.name, tt.in, got, "-"+tt.want)
		}
	}
}

func TestAppendEvent(t *testing.T) {
	tests := []struct {
		name string
		in   Event
		want string
	}{
		{"priming", Event{ID: "x"}, "id: x\ndata: \n\n"},
		{"all", Event{Type: "message", ID: "s_1-2", Data: []byte("{}"), Retry: 3 * time.Second}, "id: s_1-2\nevent: message\nretry: 3000\ndata: {}\n\n"},
		{"data only", Event{Data: []byte("1")}, "data: 1\n\n"},
		{"empty id", Event{HasID: true}, "id: \ndata: \n\n"},
		{"retry zero", Event{HasRetry: true}, "retry: 0\ndata: \n\n"},
		{"retry negative", Event{Retry: -time.Second}, "data: \n\n"},
		{"retry negative, wanted", Event{Retry: -time.Second, HasRetry: true}, "retry: 0\ndata: \n\n"},
		{"retry rounded up", Event{Retry: time.Millisecond + 1}, "retry: 2\ndata: \n\n"},
		{"type with a line end", Event{Type: "a\ndata: evil"}, "data: \n\n"},
		{"type with CR", Event{Type: "a\rb"}, "data: \n\n"},
		{"type not ASCII", Event{Type: "a\u2028b"}, "data: \n\n"},
		{"type with a space before", Event{Type: " a"}, "event:  a\ndata: \n\n"},
		{"id with a line end", Event{ID: "a\nb", HasID: true}, "data: \n\n"},
		{"id too long", Event{ID: strings.Repeat("a", 65)}, "data: \n\n"},
	}
	for _, tt := range tests {
		if got := string(AppendEvent([]byte("-"), &tt.in)); got != "-"+tt.want {
			t.Errorf("%s: AppendEvent(%+v)\n got %q\nwant %q", tt.name, tt.in, got, "-"+tt.want)
		}
	}
}

func TestAppendRetry(t *testing.T) {
	for d, want := range map[time.Duration]string{
		3 * time.Second: "retry: 3000\n\n", 0: "retry: 0\n\n", -1: "retry: 0\n\n", 1: "retry: 1\n\n", 1<<63 - 1: "retry: 9223372036855\n\n",
	} {
		if got := string(AppendRetry(nil, d)); got != want {
			t.Errorf("AppendRetry(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestValidID(t *testing.T) {
	for c := range 256 {
		want := strings.IndexByte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", byte(c)) >= 0
		if got := ValidID([]byte{'a', byte(c)}); got != want {
			t.Errorf("ValidID with byte %#x: %v, want %v", c, got, want)
		}
	}
	for n, want := range map[int]bool{0: false, 1: true, MaxIDLength: true, MaxIDLength + 1: false} {
		if got := ValidID([]byte(strings.Repeat("x", n))); got != want {
			t.Errorf("ValidID of %d bytes: %v, want %v", n, got, want)
		}
	}
}
