package sse

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// reference decodes a whole stream exactly as the standard describes: a line at a
// time from a string, keeping only what section 9.2.6 names. It writes the transcript
// that a Decoder without a limit must give.
func reference(stream string) string {
	var out strings.Builder
	var data, typ, id, lastID string
	var retry time.Duration
	var hasID, hasRetry bool
	stream = strings.TrimPrefix(decodeUTF8(stream), "\ufeff")
	stream = strings.ReplaceAll(stream, "\r\n", "\n")
	stream = strings.ReplaceAll(stream, "\r", "\n")
	lines := strings.Split(stream, "\n")
	for _, line := range lines[:len(lines)-1] {
		if line == "" {
			lastID = id
			if data != "" {
				e := Event{Type: typ, ID: id, Data: []byte(strings.TrimSuffix(data, "\n")), HasID: hasID, HasRetry: hasRetry}
				if hasRetry {
					e.Retry = retry
				}
				out.WriteString(describe(&e))
			}
			data, typ, hasID, hasRetry = "", "", false, false
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			typ = value
		case "data":
			data += value + "\n"
		case "id":
			if !strings.Contains(value, "\x00") {
				id, hasID = value, true
			}
		case "retry":
			if value != "" && strings.Trim(value, "0123456789") == "" {
				hasRetry = true
				retry, _ = time.ParseDuration(value + "ms")
				if value = strings.TrimLeft(value, "0"); len(value) > 12 {
					retry, _ = parseRetry([]byte(value)) // ParseDuration refuses the longest
				}
			}
		}
	}
	var d Decoder
	d.lastID, d.retry = lastID, retry
	return out.String() + transcript(&d)
}

// decodeUTF8 replaces invalid UTF-8 by the table in section 3.9 of the Unicode
// standard ("Well-Formed UTF-8 Byte Sequences"): each longest beginning of a row.
func decodeUTF8(s string) string {
	var out strings.Builder
	for len(s) > 0 {
		if r, n := utf8.DecodeRuneInString(s); r != utf8.RuneError || n > 1 {
			out.WriteString(s[:n])
			s = s[n:]
			continue
		}
		// A beginning is a text that some end completes.
		n := 1
		for ; n < 4 && n < len(s) && canGoOn(s[:n+1]); n++ {
		}
		out.WriteString("\ufffd")
		s = s[n:]
	}
	return out.String()
}

func canGoOn(s string) bool {
	for _, end := range []string{"", "\x80", "\x80\x80"} {
		if r, n := utf8.DecodeRuneInString(s + end); n > len(s)-1 && n == len(s+end) && (r != utf8.RuneError || s+end == "\ufffd") {
			return true
		}
	}
	return false
}

// FuzzDecode cuts a stream anywhere and checks that the events are always those of the
// reference.
func FuzzDecode(f *testing.F) {
	for _, tt := range decodeTests {
		f.Add([]byte(tt.in), uint16(len(tt.in)/2), uint16(3))
	}
	f.Fuzz(func(t *testing.T, stream []byte, cut, piece uint16) {
		want := reference(string(stream))
		before := bytes.Clone(stream)
		feed := func(how string, pieces ...string) {
			t.Helper()
			if got := transcript(&Decoder{MaxEventSize: -1}, pieces...); got != want {
				t.Errorf("%s: %q\n got %s\nwant %s", how, stream, got, want)
			}
		}
		feed("whole", string(stream))
		at := int(cut) % (len(stream) + 1)
		feed("cut in two", string(stream[:at]), string(stream[at:]))
		var pieces []string
		for rest, n := string(stream), int(piece)%64+1; len(rest) > 0; {
			n = min(n, len(rest))
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
		feed("in pieces", pieces...)

		// With a limit the same is true, and the decoder holds no more than the limit.
		d, whole := Decoder{MaxEventSize: int(cut) % 64}, Decoder{MaxEventSize: int(cut) % 64}
		if d.MaxEventSize == 0 {
			return
		}
		if got, want := transcript(&d, pieces...), transcript(&whole, string(stream)); got != want {
			t.Errorf("bound %d: %q\n got %s\nwant %s", d.MaxEventSize, stream, got, want)
		}
		// An invalid byte becomes three, and each line has an LF after it.
		if n := len(d.line) + len(d.data) + len(d.typ); n > 3*d.MaxEventSize+3 {
			t.Errorf("bound %d: %d bytes are held", d.MaxEventSize, n)
		}
		if !bytes.Equal(stream, before) {
			t.Errorf("%q was changed to %q", before, stream)
		}
	})
}

// FuzzAppend writes a comment, an event and data, and checks that they are read back.
// The output has no line without a colon and no character that any client takes for a
// line end.
func FuzzAppend(f *testing.F) {
	f.Add("message", "id-1", []byte(`{"a":"b"}`), int64(3000), "ping", true)
	f.Add("a\nb", "x y", []byte("\"\u2028\"\r\n\r\xe2\x80"), int64(-1), "a\r\n\ndata: x", true)
	f.Add("", "", []byte("\n"), int64(0), "\u2028", false)
	f.Fuzz(func(t *testing.T, typ, id string, payload []byte, ms int64, comment string, has bool) {
		in := Event{Type: typ, ID: id, Data: payload, Retry: time.Duration(ms % 1e12 * 1e6), HasID: has, HasRetry: has}
		stream := AppendComment(nil, comment)
		stream = AppendEvent(stream, &in)
		stream = AppendRetry(stream, 7*time.Millisecond)
		stream = AppendData(stream, payload)

		for line := range strings.SplitSeq(strings.TrimSuffix(string(stream), "\n"), "\n") {
			if line != "" && !strings.Contains(line, ":") {
				t.Errorf("a line without a colon: %q in %q", line, stream)
			}
		}
		if i := bytes.IndexAny(stream, "\r\u0085\u2028\u2029"); i >= 0 && utf8.Valid(payload) {
			t.Errorf("a false line end at %d in %q", i, stream)
		}

		lines := strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", `\u0085`, "\u2028", `\u2028`, "\u2029", `\u2029`)
		wantData := []byte(decodeUTF8(lines.Replace(string(payload))))
		want := Event{Data: wantData}
		if validType(typ) {
			want.Type = typ
		}
		if validID(id) || id == "" && has {
			want.ID, want.HasID = id, true
		}
		if in.Retry > 0 || has {
			want.Retry, want.HasRetry = max(in.Retry, 0), true
		}
		second := Event{ID: want.ID, Data: wantData}
		wantAll := describe(&want) + describe(&second)
		var d Decoder
		// Only a line of the transcript begins behind a line end: %q writes none.
		if got, _, _ := strings.Cut(transcript(&d, string(stream)), "\nend last="); got+"\n" != wantAll {
			t.Errorf("%+v\n got %s\nwant %s", in, got, wantAll)
		}
		if d.retry != 7*time.Millisecond {
			t.Errorf("AppendRetry was read as %v", d.retry)
		}
		// The JSON has the same value before and after.
		if json.Valid(payload) && utf8.Valid(payload) {
			if !equalJSON(payload, wantData) {
				t.Errorf("%s became %s", payload, wantData)
			}
		}
	})
}

// equalJSON reports whether two texts have the same value. It compares the texts of
// numbers, because some are too large for Go.
func equalJSON(a, b []byte) bool {
	normal := func(text []byte) string {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			return err.Error() + " in " + string(text)
		}
		out, _ := json.Marshal(v)
		return string(out)
	}
	return normal(a) == normal(b)
}
