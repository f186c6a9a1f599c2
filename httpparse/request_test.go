package httpparse

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"
)

func wantParse(t *testing.T, r *Request, in string) {
	t.Helper()
	if n, err := ParseRequest(r, []byte(in), 0, nil); n != len(in) || err != nil {
		t.Fatalf("ParseRequest(%q) = %d, %v; want all %d octets", in, n, err, len(in))
	}
}

func TestFields(t *testing.T) {
	var r Request
	wantParse(t, &r, "GET / HTTP/1.1\r\nHost: a\r\nACCEPT:  b \t\r\nX:\r\naccept: c\r\n\r\n")
	want := []string{"Host", "a", "ACCEPT", "b", "X", "", "accept", "c"}
	var got []string
	for name, value := range r.Fields() {
		got = append(got, string(name), string(value))
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Fields: %q, want %q", got, want)
	}
	if r.NumField() != 4 {
		t.Errorf("NumField: %d, want 4", r.NumField())
	}
	for range r.Fields() {
		break // a loop may end early
	}
	name, value := r.Field(1)
	if cap(name) != len(name) || cap(value) != len(value) {
		t.Error("appending to a field would overwrite the buffer")
	}
	defer func() {
		if recover() == nil {
			t.Error("Field(4) of 4 did not panic")
		}
	}()
	r.Field(4)
}

// Slices alias the buffer, and their capacity is their length.
func TestAliases(t *testing.T) {
	in := []byte("GET http://a/b?c HTTP/1.1\r\nHost: a\r\nAccept: d\r\nOrigin: e\r\n\r\n")
	var r Request
	if _, err := ParseRequest(&r, in, 0, nil); err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string][]byte{
		"Target": r.Target, "Path": r.Path, "Query": r.Query, "Host": r.Host, "Accept": r.Accept, "Origin": r.Origin,
	} {
		if len(v) == 0 || cap(v) != len(v) {
			t.Errorf("%s: length %d, capacity %d", name, len(v), cap(v))
		}
	}
	in[len("GET http://a/")] = 'X'
	if string(r.Path) != "/X" {
		t.Errorf("Path is %q: a copy", r.Path)
	}
}

func TestReset(t *testing.T) {
	var r, fresh Request
	fresh.Reset()
	head := strings.TrimSuffix(strings.Replace(mcpHead, "POST /mcp", "POST http://mcp.example.com:8080/mcp?q", 1), crlf)
	wantParse(t, &r, "\r\n"+head+"Expect: 100-continue\r\nConnection: close\r\nMcp-Param-A: b\r\nMcp-Name: c\r\nAccept: d\r\n\r\n")
	if !r.Duplicate || !r.DuplicateMCP || !r.MoreAccept || !r.HasMCPParam || !r.ExpectContinue || r.KeepAlive || r.Form != FormAbsolute {
		t.Fatalf("not what the test needs: %s", describe(&r))
	}
	r.Reset()
	r.fields = fresh.fields // beyond numFields, and never read
	if !reflect.DeepEqual(&r, &fresh) {
		t.Errorf("Reset leaves\n%+v", r)
	}
	if r.NumField() != 0 {
		t.Errorf("NumField: %d, want 0", r.NumField())
	}

	wantParse(t, &r, mcpHead)
	if _, err := ParseRequest(&r, []byte("\x16"), 0, nil); err == nil {
		t.Fatal("accepted a TLS record")
	}
	r.fields = fresh.fields
	if !reflect.DeepEqual(&r, &fresh) {
		t.Errorf("a refusal leaves\n%+v", r)
	}
}

// A caller that claims to have begun when it has not, or that loses octets, gets a
// new parse and not a panic.
func TestSeenIsWrong(t *testing.T) {
	var r Request
	if n, err := ParseRequest(&r, []byte(mcpHead), 100, nil); n != len(mcpHead) || err != nil {
		t.Errorf("a beginning that was never seen: %d, %v", n, err)
	}
	if n, err := ParseRequest(&r, []byte(mcpHead), len(mcpHead), nil); n != len(mcpHead) || err != nil {
		t.Errorf("again after success: %d, %v", n, err)
	}
	if _, err := ParseRequest(&r, []byte(mcpHead[:200]), 0, nil); err != ErrIncomplete {
		t.Fatal(err)
	}
	if _, err := ParseRequest(&r, []byte(mcpHead[:100]), 200, nil); err != ErrIncomplete {
		t.Errorf("fewer octets than before: %v", err)
	}
	if n, err := ParseRequest(&r, []byte(mcpHead), 100, nil); n != len(mcpHead) || err != nil {
		t.Errorf("the rest: %d, %v", n, err)
	}
}

func TestSizes(t *testing.T) {
	if size := unsafe.Sizeof(Request{}); size > 1800 {
		t.Errorf("a Request is %d B", size)
	}
	if size := unsafe.Sizeof(BodyDecoder{}); size > 88 {
		t.Errorf("a BodyDecoder is %d B", size)
	}
	for f := range reflect.TypeFor[BodyDecoder]().Fields() {
		switch f.Type.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.String, reflect.Interface, reflect.Map, reflect.Func, reflect.Chan:
			t.Errorf("BodyDecoder.%s holds a pointer", f.Name)
		}
	}
}

func TestErrors(t *testing.T) {
	_, err := ParseRequest(new(Request), []byte("BREW / HTTP/1.1\r\nHost: a\r\n\r\n"), 0, nil)
	var e *Error
	if !errors.As(err, &e) || e.Status != 501 || err.Error() != "httpparse: unknown method" {
		t.Errorf("got %v", err)
	}
	if ErrIncomplete.Error() != "httpparse: more bytes needed" {
		t.Errorf("ErrIncomplete: %v", ErrIncomplete)
	}
}

func TestStrings(t *testing.T) {
	for m := MethodGet; m <= MethodPatch; m++ {
		if methodOf([]byte(m.String())) != m {
			t.Errorf("method %d: %q is not its name", m, m)
		}
	}
	if MethodUnknown.String() != "" || Method(200).String() != "" || TargetForm(200).String() != "" {
		t.Error("what is no method or form has a name")
	}
	if FormOrigin.String() != "origin-form" || FormAsterisk.String() != "asterisk-form" {
		t.Error("wrong names of forms")
	}
	if bodyStateDone.String() != "done" || bodyStateRefused.String() != "refused" || len(bodyStateNames) != int(bodyStateRefused)+1 {
		t.Error("wrong names of body states")
	}
}

func TestLimits(t *testing.T) {
	for _, l := range []*Limits{nil, {}, {-1, -1, -1, -1, -1, -1, -1}} {
		if l.requestLine() != 8<<10 || l.head() != 16<<10 || l.fields() != 100 || l.content() != 4<<20 ||
			l.chunkExtLine() != 256 || l.chunkExt() != 4<<10 || l.trailer() != 8<<10 {
			t.Errorf("limits of %+v are not the defaults", l)
		}
	}
	l := &Limits{1, 2, 3, 4, 5, 6, 7}
	if l.requestLine() != 1 || l.head() != 2 || l.fields() != 3 || l.content() != 4 || l.chunkExtLine() != 5 || l.chunkExt() != 6 || l.trailer() != 7 {
		t.Errorf("limits of %+v are others", l)
	}
	l = &Limits{1 << 40, 1 << 40, 1 << 40, 1 << 40, 1 << 40, 1 << 40, 1 << 40}
	if l.requestLine() != MaxHead || l.head() != MaxHead || l.fields() != MaxFields || l.content() != 1<<40 ||
		l.chunkExtLine() != 1<<30 || l.chunkExt() != 1<<30 || l.trailer() != 1<<30 {
		t.Errorf("limits of %+v are not capped", l)
	}
}

func TestIPv6(t *testing.T) {
	for _, a := range []string{"::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1::8", "1:2::7:8",
		"abcd:EF01::", "::1.2.3.4", "::ffff:255.0.10.199", "1:2:3:4:5:6:1.2.3.4", "1::5:6:1.2.3.4"} {
		if !validIPv6([]byte(a)) {
			t.Errorf("%s is refused", a)
		}
	}
	for _, a := range []string{"", ":", ":::", "1", "1:", ":1", "1:2", "12345::", "::12345", "g::", "1::2::3", "::1::", "1:2:3:4:5:6:7",
		"1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1:2:3:4::5:6:7:8", "1:2:3:4:5:6:7:", "1:::2", "::1 ", "1.2.3.4",
		"::1.2.3", "::1.2.3.4.5", "::1.2.3.256", "::01.2.3.4", "::1.2.3.", "::1..3.4", "::a.2.3.4", "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5::6:7:1.2.3.4",
		"::1.2.3.1000", "1:2:3:4:5:1.2.3.4"} {
		if validIPv6([]byte(a)) {
			t.Errorf("%s is accepted", a)
		}
	}
}

func TestBodyDecoder(t *testing.T) {
	var d BodyDecoder
	if out, n, done, err := d.Append(nil, []byte("x")); out != nil || n != 0 || !done || err != nil {
		t.Errorf("the zero BodyDecoder: %q %d %v %v", out, n, done, err)
	}
	d.Reset(&Request{ContentLength: 10}, nil)
	out, n, done, err := d.Append([]byte("a"), []byte("hello"))
	if string(out) != "ahello" || n != 5 || done || err != nil || d.Len() != 5 || d.Remaining() != 5 || d.Done() {
		t.Errorf("half of it: %q %d %v %v, %d and %d to come", out, n, done, err, d.Len(), d.Remaining())
	}
	out, n, done, err = d.Append(out, []byte("world!"))
	if string(out) != "ahelloworld" || n != 5 || !done || err != nil || d.Len() != 10 || d.Remaining() != 0 || !d.Done() {
		t.Errorf("all of it: %q %d %v %v, %d and %d to come", out, n, done, err, d.Len(), d.Remaining())
	}

	d.Reset(&Request{Chunked: true}, nil)
	if _, _, _, err = d.Append(nil, []byte("5\r\nhel")); err != nil || d.Remaining() != 2 {
		t.Errorf("in a chunk: %v, %d to come", err, d.Remaining())
	}
	if _, n, done, err = d.Append(nil, []byte("loX")); n != 2 || done || err != errChunkEnd {
		t.Errorf("a bad chunk: %d %v %v", n, done, err)
	}
	if _, n, done, err = d.Append(nil, []byte("\r\n0\r\n\r\n")); n != 0 || done || err != errAfterRefusal {
		t.Errorf("after a refusal: %d %v %v", n, done, err)
	}

	// Too much content is refused before any of it arrives, even if the caller has not
	// called CheckContent.
	d.Reset(&Request{ContentLength: 11}, &Limits{Content: 10})
	if _, n, done, err = d.Append(nil, []byte("x")); n != 0 || done || err != errContentTooLarge {
		t.Errorf("too much: %d %v %v", n, done, err)
	}
}

// Feeding octet by octet has a constant cost for each octet, wherever in a head it
// is. The second half of a long element takes about as long as the first, which
// would not be so if each call looked at the element from its beginning.
func TestLinear(t *testing.T) {
	const size = 16 << 10
	feed := func(in []byte) (first, second time.Duration) {
		first, second = time.Hour, time.Hour
		for range 5 { // the fastest of five counts, because the machine may be busy
			var r Request
			start := time.Now()
			var middle time.Time
			for i := range in {
				if i == len(in)/2 {
					middle = time.Now()
				}
				if _, err := ParseRequest(&r, in[:i+1], i, &Limits{RequestLine: size, Fields: MaxFields}); err != ErrIncomplete {
					t.Fatalf("at %d of %.40q: %v", i, in, err)
				}
			}
			first, second = min(first, middle.Sub(start)), min(second, time.Since(middle))
		}
		return first, second
	}
	fill := func(prefix, unit string) []byte {
		return []byte((prefix + strings.Repeat(unit, size))[:size])
	}
	for name, in := range map[string][]byte{
		"method":  fill("", "A"),
		"target":  fill("GET /", "a"),
		"query":   fill("GET /?", "?"),
		"percent": fill("GET /", "%41"),
		"name":    fill(get, "a"),
		"padding": fill(get+"a:", " "),
		"value":   fill(get+"a: ", "b"),
		"tabs":    fill(get+"a: b", "\t"),
		"fields":  fill(get, "a: "+strings.Repeat("b", 150)+"\r\n"),
	} {
		if first, second := feed(in); second > 4*first {
			t.Errorf("%s: the first half took %v, the second %v", name, first, second)
		}
	}

	// One octet of src at a time, one octet in each chunk.
	src := bytes.Repeat([]byte("1;a=b\r\nx\r\n"), 400)
	var d BodyDecoder
	d.Reset(&Request{Chunked: true}, nil)
	dst := make([]byte, 0, 400)
	for i := range src {
		out, n, done, err := d.Append(dst, src[i:i+1])
		if n != 1 || done || err != nil {
			t.Fatalf("octet %d: %d %v %v", i, n, done, err)
		}
		dst = out
	}
	if len(dst) != 400 {
		t.Errorf("decoded %d octets, want 400", len(dst))
	}
}
