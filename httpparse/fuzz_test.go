package httpparse

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"testing"
)

func seed(f *testing.F, add func(in string)) {
	for _, c := range acceptances {
		if len(c.in) < 1000 {
			add(c.in)
		}
	}
	for _, table := range [][]refusal{requestLineRefusals, fieldRefusals, bodyRefusals} {
		for _, c := range table {
			if len(c.in) < 1000 {
				add(strings.Replace(c.in, mark, "", 1))
			}
		}
	}
}

// However the input of a connection is cut, it is read the same, and the same octet
// is refused.
func FuzzCut(f *testing.F) {
	seed(f, func(in string) { f.Add([]byte(in), uint16(len(in)/3), uint16(2*len(in)/3)) })
	f.Fuzz(func(t *testing.T, in []byte, one, two uint16) {
		want := converse(in, nil, whole)
		if want.err != nil && (want.at < 0 || want.at >= len(in)) {
			t.Fatalf("%q refused at %d, which is not in it", in, want.at)
		}
		for _, next := range []func(int) int{octetwise, cutAt(int(one)), cutAt(int(one), int(two))} {
			if got := converse(in, nil, next); got.String() != want.String() {
				t.Fatalf("%q cut at %d and %d\n got %s\nwant %s", in, one, two, got, want)
			}
		}
		if got := converse(in, nil, octetwise); got.err != nil && got.fed != got.at+1 {
			t.Fatalf("%q refused at %d, when %d octets had come", in, got.at, got.fed)
		}
	})
}

// net/http accepts what ParseRequest accepts, and reads it the same.
func FuzzNetHTTP(f *testing.F) {
	seed(f, func(in string) { f.Add([]byte(in)) })
	f.Fuzz(func(t *testing.T, in []byte) {
		var r Request
		n, err := ParseRequest(&r, in, 0, nil)
		if err != nil {
			return
		}
		theirs := bytes.TrimPrefix(in, []byte("\r\n")) // net/http does not ignore an empty line
		req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(theirs)))
		if err != nil {
			if excusable(&r) {
				return
			}
			t.Fatalf("%q: net/http refuses: %v", in[:n], err)
		}
		check := func(what, ours, their string) {
			t.Helper()
			if ours != their {
				t.Errorf("%q: %s: we say %q, net/http %q", in[:n], what, ours, their)
			}
		}
		check("method", r.Method.String(), req.Method)
		check("target", string(r.Target), req.RequestURI)
		check("host", string(r.Host), req.Host)
		check("minor", strconv.Itoa(int(r.Minor)), strconv.Itoa(req.ProtoMinor))
		check("chunked", strconv.FormatBool(r.Chunked), strconv.FormatBool(len(req.TransferEncoding) == 1))
		if !r.Chunked {
			check("length", strconv.FormatInt(max(r.ContentLength, 0), 10), strconv.FormatInt(req.ContentLength, 10))
		}
		check("origin", string(r.Origin), req.Header.Get("Origin"))
		check("session", string(r.MCPSessionID), req.Header.Get("Mcp-Session-Id"))
		want := http.Header{}
		for name, value := range r.Fields() {
			if key := http.CanonicalHeaderKey(string(name)); key != "Host" && key != "Transfer-Encoding" {
				want[key] = append(want[key], string(value))
			}
		}
		for key, values := range want {
			if strings.Join(req.Header[key], "\n") != strings.Join(values, "\n") && key != "Trailer" && key != "Pragma" && key != "Cache-Control" {
				t.Errorf("%q: %s: we say %q, net/http %q", in[:n], key, values, req.Header[key])
			}
		}

		if r.CheckContent(nil) != nil {
			return
		}
		var d BodyDecoder
		d.Reset(&r, nil)
		body, _, done, err := d.Append(nil, in[n:])
		if !done || err != nil {
			return
		}
		their, err := io.ReadAll(req.Body)
		if err != nil && len(r.head) > 0 && !trailing(in[n:]) {
			t.Fatalf("%q: net/http refuses the content: %v", in, err)
		}
		if err == nil {
			check("content", string(body), string(their))
		}
	})
}

// excusable lists what net/http refuses, but RFC 9112 does not: an authority with
// percent-encoding, and paths that net/url refuses.
func excusable(r *Request) bool {
	return r.Form == FormAbsolute && bytes.IndexByte(r.Host, '%') >= 0
}

// trailing reports whether there may be a trailer section. net/http has other limits
// and rules for it.
func trailing(content []byte) bool { return !bytes.HasSuffix(content, []byte("\r\n0\r\n\r\n")) }

// net/http's chunked reader decodes what BodyDecoder decodes, with the same result.
func FuzzChunked(f *testing.F) {
	seed(f, func(in string) {
		if _, body, ok := strings.Cut(in, "\r\n\r\n"); ok {
			f.Add([]byte(body), uint16(3))
		}
	})
	r := &Request{Chunked: true, ContentLength: -1}
	f.Fuzz(func(t *testing.T, in []byte, cut uint16) {
		var d BodyDecoder
		d.Reset(r, nil)
		prefix := []byte("kept")
		out, n, done, err := d.Append(prefix, in)
		if !bytes.HasPrefix(out, prefix) || len(out)-len(prefix) > n || int64(len(out)-len(prefix)) != d.Len() {
			t.Fatalf("%q: %q out of %d octets", in, out, n)
		}
		if !done && err == nil && n != len(in) {
			t.Fatalf("%q: stopped at %d for no reason", in, n)
		}
		// In pieces.
		var p BodyDecoder
		p.Reset(r, nil)
		at := min(int(cut), len(in))
		out2, n1, done2, err2 := p.Append([]byte("kept"), in[:at])
		if !done2 && err2 == nil {
			var n2 int
			out2, n2, done2, err2 = p.Append(out2, in[at:])
			n1 += n2
		}
		if !bytes.Equal(out, out2) || n != n1 || done != done2 || err != err2 {
			t.Fatalf("%q cut at %d: %q %d %v %v, whole: %q %d %v %v", in, at, out2, n1, done2, err2, out, n, done, err)
		}
		if !done {
			return
		}
		theirs, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(in[:n])))
		if err != nil {
			t.Fatalf("%q: net/http refuses: %v", in[:n], err)
		}
		if !bytes.Equal(out[len(prefix):], theirs) {
			t.Fatalf("%q: we decode %q, net/http %q", in[:n], out[len(prefix):], theirs)
		}
	})
}
