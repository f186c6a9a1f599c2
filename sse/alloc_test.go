package sse

import (
	"testing"
	"time"
)

func wantAllocs(t *testing.T, what string, f func()) {
	t.Helper()
	if n := testing.AllocsPerRun(200, f); n != 0 {
		t.Errorf("%s: %v allocations, want 0", what, n)
	}
}

func TestAllocs(t *testing.T) {
	dst := make([]byte, 0, 4096)
	for _, bt := range benchData() {
		if len(bt.data) > 4000 {
			continue
		}
		wantAllocs(t, "AppendData "+bt.name, func() { dst = AppendData(dst[:0], bt.data) })
	}
	wantAllocs(t, "AppendComment", func() { dst = AppendComment(dst[:0], "") })
	wantAllocs(t, "AppendComment with lines", func() { dst = AppendComment(dst[:0], "a\nb\u2028c") })
	event := &Event{Type: "message", ID: "abc", Data: []byte(`{"a":1}`), Retry: 3 * time.Second}
	wantAllocs(t, "AppendEvent", func() { dst = AppendEvent(dst[:0], event) })
	wantAllocs(t, "AppendRetry", func() { dst = AppendRetry(dst[:0], time.Second) })
	id := []byte("abc")
	wantAllocs(t, "ValidID", func() { ValidID(id) })

	// A decoder that has seen one event of a kind reads more of them without
	// allocating, whole or in pieces.
	stream := []byte("event: message\ndata: {\"a\":1}\ndata: 2\n\n:\n\ndata: \xff\n\n")
	var d Decoder
	n := 0
	wantAllocs(t, "Decode", func() {
		for e, err := range d.Decode(stream) {
			if err != nil {
				t.Fatal(err)
			}
			n += len(e.Data)
		}
	})
	wantAllocs(t, "Decode in pieces", func() {
		for i := range stream {
			for e := range d.Decode(stream[i : i+1]) {
				n += len(e.Data)
			}
		}
	})
	if n == 0 {
		t.Error("nothing was read")
	}
}
