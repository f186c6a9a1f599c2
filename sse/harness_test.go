package sse

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// transcript feeds the pieces of a stream to d and writes down what it yields, one
// event on each line, with the decoder's state at the end.
func transcript(d *Decoder, pieces ...string) string {
	var b strings.Builder
	for _, piece := range pieces {
		for e, err := range d.Decode([]byte(piece)) {
			if err != nil {
				fmt.Fprintf(&b, "error %v\n", err)
				return b.String()
			}
			b.WriteString(describe(e))
		}
	}
	retry, _ := d.ReconnectionTime()
	fmt.Fprintf(&b, "end last=%q retry=%v\n", d.LastEventID(), retry)
	return b.String()
}

func describe(e *Event) string {
	s := fmt.Sprintf("event %q id=%q data=%q", e.Type, e.ID, e.Data)
	if e.HasID {
		s += " hasID"
	}
	if e.HasRetry {
		s += " retry=" + e.Retry.String()
	}
	return s + "\n"
}

// wantTranscript decodes stream whole, in single bytes, cut in two at every place,
// and, if it is short, in three at every pair of places. The transcript must always be
// the same.
func wantTranscript(t *testing.T, limit int, stream, want string) {
	t.Helper()
	feed := func(how string, pieces ...string) {
		t.Helper()
		if got := transcript(&Decoder{MaxEventSize: limit}, pieces...); got != want {
			t.Errorf("%s: %q\n got %s\nwant %s", how, stream, got, want)
		}
	}
	feed("whole", stream)
	feed("single bytes", bytesOf(stream)...)
	for i := range len(stream) + 1 {
		feed(fmt.Sprint("cut at ", i), stream[:i], stream[i:])
		if len(stream) > 60 {
			continue
		}
		for j := range i {
			feed(fmt.Sprint("cut at ", j, i), stream[:j], stream[j:i], "", stream[i:])
		}
	}
}

// bytesOf splits s into strings of one byte.
func bytesOf(s string) []string {
	pieces := make([]string, len(s))
	for i := range pieces {
		pieces[i] = s[i : i+1]
	}
	return pieces
}

// data collects the data of all events.
func data(d *Decoder, stream []byte) []string {
	var all []string
	for e, err := range d.Decode(stream) {
		if err != nil {
			return append(all, err.Error())
		}
		all = append(all, string(e.Data))
	}
	return all
}

func wantData(t *testing.T, why string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", why, got, want)
	}
}
