package sse

import (
	"errors"
	"strings"
	"testing"
)

// decodeTests are streams and the events that a client reads from them. Those named
// after a section are the standard's own examples. Those that begin with format-
// check the same as the test of that name in web-platform-tests (eventsource/).
var decodeTests = []struct {
	name, in, want string
}{
	{"9.2.1 quotes", "data: This is the first message.\n\ndata: This is the second message, it\ndata: has two lines.\n\ndata: This is the third message.\n\n",
		`event "" id="" data="This is the first message."` + "\n" +
			`event "" id="" data="This is the second message, it\nhas two lines."` + "\n" +
			`event "" id="" data="This is the third message."` + "\n" + `end last="" retry=0s` + "\n"},
	{"9.2.1 types", "event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n",
		`event "add" id="" data="73857293"` + "\n" + `event "remove" id="" data="2153"` + "\n" + `event "add" id="" data="113411"` + "\n" + `end last="" retry=0s` + "\n"},
	{"9.2.6 stocks", "data: YHOO\ndata: +2\ndata: 10\n\n",
		`event "" id="" data="YHOO\n+2\n10"` + "\n" + `end last="" retry=0s` + "\n"},
	{"9.2.6 four blocks", ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
		`event "" id="1" data="first event" hasID` + "\n" + `event "" id="" data="second event" hasID` + "\n" + `event "" id="" data=" third event"` + "\n" + `end last="" retry=0s` + "\n"},
	{"9.2.6 empty data", "data\n\ndata\ndata\n\ndata:",
		`event "" id="" data=""` + "\n" + `event "" id="" data="\n"` + "\n" + `end last="" retry=0s` + "\n"},
	{"9.2.6 space after the colon", "data:test\n\ndata: test\n\n",
		`event "" id="" data="test"` + "\n" + `event "" id="" data="test"` + "\n" + `end last="" retry=0s` + "\n"},

	{"format-bom", "\ufeffdata:1\n\n\ufeffdata:2\n\ndata:3\n\n",
		`event "" id="" data="1"` + "\n" + `event "" id="" data="3"` + "\n" + `end last="" retry=0s` + "\n"},
	{"format-bom-2", "\ufeff\ufeffdata:1\n\ndata:2\n\ndata:3\n\n",
		`event "" id="" data="2"` + "\n" + `event "" id="" data="3"` + "\n" + `end last="" retry=0s` + "\n"},
	{"format-comments", "data:1\r:\x00\n:\r\ndata:2\n:" + strings.Repeat("x", 300) + "\rdata:3\n:data:fail\r:\ndata:4\n\n",
		`event "" id="" data="1\n2\n3\n4"` + "\n" + `end last="" retry=0s` + "\n"},
	{"format-data-before-final-empty-line", "retry:1000\ndata:test1\n\nid:test\ndata:test2",
		`event "" id="" data="test1" retry=1s` + "\n" + `end last="" retry=1s` + "\n"},
	{"format-field-data", "data:\n\ndata\ndata\n\ndata:test\n\n",
		`event "" id="" data=""` + "\n" + `event "" id="" data="\n"` + "\n" + `event "" id="" data="test"` + "\n" + `end last="" retry=0s` + "\n"},
	{"format-field-event", "event:test\ndata:x\n\ndata:x\n\n",
		`event "test" id="" data="x"` + "\n" + `event "" id="" data="x"` + "\n" + `end last="" retry=0s` + "\n"},
	{"format-field-event-empty", "event: \ndata:data\n\n",
		`event "" id="" data="data"` + "\n" + `end last="" retry=0s` + "\n"},
	{"format-field-id", "id: …\ndata:1\n\nid\ndata: 2\n\n",
		`event "" id="…" data="1" hasID` + "\n" + `event "" id="" data="2" hasID` + "\n" + `end last="" retry=0s` + "\n"},
	{"format-field-id-2", "id: a\ndata:1\n\ndata: 2\n\nid\ndata:3\n\n",
		`event "" id="a" data="1" hasID` + "\n" + `event "" id="a" data="2"` + "\n" + `event "" id="" data="3" hasID` + "\n" + `end last="" retry=0s` + "\n"},
	{"format-field-id-3", "id:hello\n\ndata:a\n\n",
		`event "" id="hello" data="a"` + "\n" + `end last="hello" retry=0s` + "\n"},
	{"format-field-id-null", "id: x\ndata:1\n\nid:a\x00b\ndata:2\n\nid:\x00\ndata:3\n\n",
		`event "" id="x" data="1" hasID` + "\n" + `event "" id="x" data="2"` + "\n" + `event "" id="x" data="3"` + "\n" + `end last="x" retry=0s` + "\n"},
	{"format-field-parsing", "data:\x00\ndata:  2\rData:1\ndata\x00:2\ndata:1\r\x00data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\ndata:4\n\n",
		`event "" id="" data="\x00\n 2\n1\n3\n\n4"` + "\n" + `end last="" retry=0s` + "\n"},
	{"format-field-retry", "retry:03000\ndata:x\n\n",
		`event "" id="" data="x" retry=3s` + "\n" + `end last="" retry=3s` + "\n"},
	{"format-field-retry-bogus", "retry:3000\nretry:1000x\nretry: -1\nretry:1.5\ndata:x\n\n",
		`event "" id="" data="x" retry=3s` + "\n" + `end last="" retry=3s` + "\n"},
	{"format-field-retry-empty", "retry:5\nretry\nretry:\ndata:test\n\n",
		`event "" id="" data="test" retry=5ms` + "\n" + `end last="" retry=5ms` + "\n"},
	{"format-field-unknown", "data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\n\n",
		`event "" id="" data="test\n"` + "\n" + `end last="" retry=0s` + "\n"},
	{"format-leading-space", "data:\ttest\rdata: \ndata:test\n\n",
		`event "" id="" data="\ttest\n\ntest"` + "\n" + `end last="" retry=0s` + "\n"},
	{"format-newlines", "data:test\r\ndata\ndata:test\r\n\r",
		`event "" id="" data="test\n\ntest"` + "\n" + `end last="" retry=0s` + "\n"},
	{"format-null-character", "data:\x00\n\ndata:\x00\n\n",
		`event "" id="" data="\x00"` + "\n" + `event "" id="" data="\x00"` + "\n" + `end last="" retry=0s` + "\n"},
	{"format-utf-8", "data:ok…\n\n",
		`event "" id="" data="ok…"` + "\n" + `end last="" retry=0s` + "\n"},

	{"priming event", "id: x\ndata: \n\n", `event "" id="x" data="" hasID` + "\n" + `end last="x" retry=0s` + "\n"},
	{"block without data", "id: x\nevent: gone\n\ndata: 1\n\n", `event "" id="x" data="1"` + "\n" + `end last="x" retry=0s` + "\n"},
	{"id of an unfinished block", "id: a\ndata: 1\n\nid: b\ndata: 2\n", `event "" id="a" data="1" hasID` + "\n" + `end last="a" retry=0s` + "\n"},
	{"last type wins", "event: a\nevent: b\ndata: 1\n\n", `event "b" id="" data="1"` + "\n" + `end last="" retry=0s` + "\n"},
	{"names are case-sensitive", "Data: 1\nEVENT: x\ndata: 2\n\n", `event "" id="" data="2"` + "\n" + `end last="" retry=0s` + "\n"},
	{"CR only", "data: 1\r\rdata: 2\r\r", `event "" id="" data="1"` + "\n" + `event "" id="" data="2"` + "\n" + `end last="" retry=0s` + "\n"},
	{"CRLF only", "data: 1\r\n\r\ndata: 2\r\n\r\n", `event "" id="" data="1"` + "\n" + `event "" id="" data="2"` + "\n" + `end last="" retry=0s` + "\n"},
	{"LF CR", "data: 1\n\rdata: 2\n\r", `event "" id="" data="1"` + "\n" + `event "" id="" data="2"` + "\n" + `end last="" retry=0s` + "\n"},
	{"byte order mark alone", "\ufeff", `end last="" retry=0s` + "\n"},
	{"half a byte order mark", "\xef\xbbdata: 1\n\ndata: 2\n\n", `event "" id="" data="2"` + "\n" + `end last="" retry=0s` + "\n"},
	{"byte order mark before an empty line", "\ufeff\n\ufeffdata: 1\ndata: 2\n\n", `event "" id="" data="2"` + "\n" + `end last="" retry=0s` + "\n"},
	{"keep-alives", ":\n\n:\n\ndata: 1\n\n:\n\n", `event "" id="" data="1"` + "\n" + `end last="" retry=0s` + "\n"},
	{"false line ends", "data: a\u2028b\u2029c\u0085d\v\f\n\n", `event "" id="" data="a\u2028b\u2029c\u0085d\v\f"` + "\n" + `end last="" retry=0s` + "\n"},
	{"retry without data", "retry: 250\n\n", `end last="" retry=250ms` + "\n"},
	{"retry too large", "retry: 99999999999999999999999999\ndata:\n\n", `event "" id="" data="" retry=2562047h47m16.854s` + "\n" + `end last="" retry=2562047h47m16.854s` + "\n"},
	{"retry zero", "retry: 0\ndata:\n\n", `event "" id="" data="" retry=0s` + "\n" + `end last="" retry=0s` + "\n"},
	{"retry of other digits", "retry: ١\ndata:\n\n", `event "" id="" data=""` + "\n" + `end last="" retry=0s` + "\n"},
	{"nothing", "", `end last="" retry=0s` + "\n"},
	{"empty lines", "\n\n\r\r\n\n", `end last="" retry=0s` + "\n"},

	// The numbers of replacement characters are those of the Encoding standard.
	{"bad UTF-8: bytes", "data: \xff\xc0\xaf\x80\n\n", `event "" id="" data="����"` + "\n" + `end last="" retry=0s` + "\n"},
	{"bad UTF-8: truncated", "data: \xe2\x80|\xf0\x9f\x98|\xc3|\xf0\x9f\n\n", `event "" id="" data="�|�|�|�"` + "\n" + `end last="" retry=0s` + "\n"},
	{"bad UTF-8: surrogate, overlong, too high", "data: \xed\xa0\x80|\xe0\x80\x80|\xf0\x80\x80\x80|\xf4\x90\x80\x80\n\n", `event "" id="" data="���|���|����|����"` + "\n" + `end last="" retry=0s` + "\n"},
	{"bad UTF-8: truncated behind a narrow second byte", "data: \xf0\x90\x80|\xf4\x8f\xbf|\xed\x9f|\xe0\xa0\n\n", `event "" id="" data="�|�|�|�"` + "\n" + `end last="" retry=0s` + "\n"},
	{"bad UTF-8: good follows", "data: \xe2\x80é\xf0\x9f\x98\x80\xf0😀\n\n", `event "" id="" data="�é😀�😀"` + "\n" + `end last="" retry=0s` + "\n"},
	{"bad UTF-8: id and type", "id: \xffa\nevent: b\xff\ndata:\n\n", `event "b�" id="�a" data="" hasID` + "\n" + `end last="�a" retry=0s` + "\n"},
}

func TestDecode(t *testing.T) {
	for _, tt := range decodeTests {
		t.Run(tt.name, func(t *testing.T) { wantTranscript(t, 0, tt.in, tt.want) })
	}
}

// Two streams one after another in one decoder yield the events of both, if the first
// ends where a block ends.
func TestDecodeConcatenated(t *testing.T) {
	for _, tt := range decodeTests {
		first := "data: before\n\n" + strings.TrimPrefix(tt.in, "\ufeff")
		if strings.HasPrefix(tt.in, "\ufeff\n") || strings.HasPrefix(tt.in, "\ufeff\ufeff") {
			continue
		}
		want := `event "" id="" data="before"` + "\n" + tt.want
		if got := transcript(new(Decoder), first); got != want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, want)
		}
	}
}

func TestMaxEventSize(t *testing.T) {
	const end = `end last="" retry=0s` + "\n"
	ok := `event "" id="" data="1"` + "\n"
	tests := []struct {
		name  string
		limit int
		in    string
		want  string
	}{
		{"line as long as allowed", 8, "data: 12\n\n", `event "" id="" data="12"` + "\n" + end},
		{"line longer", 8, "data: 1\n\ndata: 123\n\n", ok + "error sse: event too large\n"},
		{"line without end", 8, "data: 1\n\ndata: 123", ok + "error sse: event too large\n"},
		{"comment longer", 8, "data: 1\n\n:12345678\n\n", ok + "error sse: event too large\n"},
		{"unknown field longer", 8, "data: 1\n\nabcdefghi", ok + "error sse: event too large\n"},
		{"lines together", 8, "data: 1\ndata:\ndata:\ndata:\n\n", "error sse: event too large\n"},
		{"lines together, as many as allowed", 8, "data: 1\ndata\ndata\ndata\n\n", `event "" id="" data="1\n\n\n"` + "\n" + end},
		{"type counts", 8, "event:ab\ndata: 1\n\n", "error sse: event too large\n"},
		{"type counts until its block ends", 8, "event:ab\n\ndata: 1\n\n", ok + end},
		{"data counts until its event ends", 8, strings.Repeat("data: 1\n\n", 3), ok + ok + ok + end},
		{"no bound", -1, "data: " + strings.Repeat("x", 200) + "\n\n", `event "" id="" data="` + strings.Repeat("x", 200) + `"` + "\n" + end},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantTranscript(t, tt.limit, tt.in, tt.want) })
	}

	t.Run("default", func(t *testing.T) {
		var d Decoder
		event := append(make([]byte, 0, DefaultMaxEventSize+8), "data: "...)
		event = append(event, make([]byte, DefaultMaxEventSize-6)...)
		if n := len(data(&d, append(event, "\n\n"...))); n != 1 {
			t.Errorf("an event of the size allowed: %d events, want 1", n)
		}
		if cap(d.data) != 0 || cap(d.line) != 0 {
			t.Errorf("large buffers are kept: data %d, line %d", cap(d.data), cap(d.line))
		}
		wantData(t, "one byte more", data(&d, append(event, "x\n\n"...)), ErrTooLarge.Error())
		wantData(t, "the error stays", data(&d, []byte("data: 1\n\n")), ErrTooLarge.Error())
		d.Reset()
		wantData(t, "until Reset", data(&d, []byte("data: 1\n\n")), "1")
	})
}

// A loop that is left early loses nothing.
func TestDecodeLeftEarly(t *testing.T) {
	for _, tt := range decodeTests {
		var d Decoder
		var got strings.Builder
		in := []byte(tt.in)
		for {
			n := 0
			for e := range d.Decode(in) {
				got.WriteString(describe(e))
				n++
				break
			}
			if n == 0 {
				break
			}
			clear(in) // the unread part must have been copied
			in = nil
		}
		got.WriteString(transcript(&d))
		if got.String() != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, &got, tt.want)
		}
	}
	var d Decoder
	for range d.Decode([]byte("data: 1\n\ndata: 2\n\nda")) {
		break
	}
	wantData(t, "more after the loop was left", data(&d, []byte("ta: 3\n\n")), "2", "3")
	wantData(t, "nothing is read twice", data(&d, []byte("data: 4\n\n")), "4")
}

func TestReset(t *testing.T) {
	var d Decoder
	wantData(t, "first stream", data(&d, []byte("id: 7\nretry: 9\ndata: 1\n\nid: 8\nevent: x\ndata: lost\r")), "1")
	d.Reset()
	if got, want := d.LastEventID(), "7"; got != want {
		t.Errorf("last event ID after Reset: %q, want %q", got, want)
	}
	got := transcript(&d, "\ufeffdata: 2\n\n")
	if want := `event "" id="7" data="2"` + "\n" + `end last="7" retry=9ms` + "\n"; got != want {
		t.Errorf("second stream:\n got %s\nwant %s", got, want)
	}
}

func TestErrTooLarge(t *testing.T) {
	d := Decoder{MaxEventSize: 1}
	for e, err := range d.Decode([]byte("data")) {
		if e != nil || !errors.Is(err, ErrTooLarge) {
			t.Errorf("got %v, %v", e, err)
		}
	}
}
