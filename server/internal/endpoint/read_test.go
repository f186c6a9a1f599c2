package endpoint

import (
	"strings"
	"testing"
)

// ReadHead reads what the functions of this package have written, whatever follows, and needs all
// of it.
func TestReadHead(t *testing.T) {
	for _, h := range []ResponseHead{
		{Status: 200, Date: "now"},
		{Status: 405, Date: "now", Allow: "POST", Close: true},
		{Status: 503, Date: "now", RetryAfter: 1, Origin: []byte("https://a"), Session: []byte("s")},
		{Status: 204, Date: "now", Extra: []byte("\r\nX-A: b: c")},
	} {
		for _, head := range [][]byte{AppendHead(nil, &h, TypeJSON, 7), AppendStreamHead(nil, &h, true), AppendPreflight(nil, &h), AppendHead(nil, &h, "", 0)} {
			for n := range len(head) {
				if _, _, got := ReadHead(head[:n]); got != 0 {
					t.Fatalf("%d of %d bytes are a head", n, len(head))
				}
			}
			status, fields, n := ReadHead(append(head[:len(head):len(head)], "content\r\n\r\n"...))
			if status != h.Status || n != len(head) {
				t.Errorf("%q: status %d, length %d", head, status, n)
			}
			lines := []string{}
			for name, value := range Fields(fields) {
				lines = append(lines, string(name)+": "+string(value))
			}
			want := strings.Split(strings.TrimSuffix(string(head), "\r\n\r\n"), "\r\n")[1:]
			if strings.Join(lines, "|") != strings.Join(want, "|") {
				t.Errorf("got %q, want %q", lines, want)
			}
		}
	}
}

// A head that is rewritten keeps its fields, gets those of middleware, and says which origins may
// see the response once.
func TestAppendRewritten(t *testing.T) {
	h := ResponseHead{Status: 200, Date: "now", Close: true, Origin: []byte("https://a")}
	status, fields, _ := ReadHead(AppendStreamHead(nil, &h, false))
	got := string(AppendRewritten(nil, status, fields, []byte("\r\nX-A: b"), false, true))
	want := "HTTP/1.1 200 OK\r\nDate: now\r\nAccess-Control-Allow-Origin: https://a\r\nAccess-Control-Expose-Headers: Mcp-Session-Id, WWW-Authenticate\r\nVary: Origin\r\n" +
		"Content-Type: text/event-stream\r\nCache-Control: no-cache, no-transform\r\nX-Accel-Buffering: no\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	got = string(AppendRewritten(nil, status, fields, []byte("\r\nAccess-Control-Allow-Origin: *"), true, false))
	if strings.Count(got, "Access-Control-Allow-Origin") != 1 || !strings.Contains(got, "Allow-Origin: *") || !strings.HasSuffix(got, "\r\nConnection: close\r\n\r\n") {
		t.Errorf("got\n%s", got)
	}
}
