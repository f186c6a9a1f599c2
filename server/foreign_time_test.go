package server

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/auth"
)

// TestForeignTime checks that the answer to a foreign id takes as long as that to a forged one:
// nobody learns from the time whether an id is somebody else's. The loop runs on the goroutine of
// the test, so there is neither a kernel nor a network in what is measured. Samples of the kinds
// alternate. An id of one's own that is gone is measured too: it opens, so that takes longer.
func TestForeignTime(t *testing.T) {
	const rev, rounds = "2025-11-25", 4000
	o := &Options{Authenticate: &Authentication{Verifier: func(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
		return &auth.TokenInfo{UserID: token, Expiration: time.Now().Add(time.Hour)}, nil
	}}}
	k := newBenchWith(t, o)
	send := func(in string) string {
		k.do([]byte(in))
		return string(k.sk.last)
	}
	with := func(token, in string) string { return strings.Replace(in, "\r\n", "\r\n"+bearerField(token), 1) }
	begin := func(token string) string {
		_, rest, _ := strings.Cut(send(with(token, post("", "", initializeBody(rev)))), "Mcp-Session-Id: ")
		id, _, ok := strings.Cut(rest, "\r")
		if !ok {
			t.Fatalf("no session for %s", token)
		}
		return id
	}
	ann, gone := begin("ann"), begin("bob")
	line := func(method, id string) string {
		return method + " /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nMCP-Protocol-Version: " + rev + "\r\nMcp-Session-Id: " + id + "\r\n\r\n"
	}
	if got := send(with("bob", line("DELETE", gone))); !strings.HasPrefix(got, "HTTP/1.1 20") {
		t.Fatal(got)
	}
	forged := []byte(ann)
	if forged[40] = 'A'; ann[40] == 'A' {
		forged[40] = 'B'
	}
	ids := []struct{ name, id string }{{"foreign", ann}, {"forged", string(forged)}, {"gone", gone}}
	for what, request := range map[string]func(id string) string{
		"POST":      func(id string) string { return post(id, rev, `{"jsonrpc":"2.0","id":1,"method":"ping"}`) },
		"an answer": func(id string) string { return post(id, rev, `{"jsonrpc":"2.0","id":"ask-1","result":{}}`) },
		"a cancel": func(id string) string {
			return post(id, rev, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
		},
		"GET": func(id string) string { return line("GET", id) },
		"a resuming": func(id string) string {
			return strings.Replace(line("GET", id), "\r\n", "\r\nLast-Event-ID: 1-1\r\n", 1)
		},
		"DELETE": func(id string) string { return line("DELETE", id) },
	} {
		times := make([][]time.Duration, len(ids))
		in := make([][]byte, len(ids))
		for i, id := range ids {
			in[i] = []byte(with("bob", request(id.id)))
		}
		for n := range rounds {
			for i := range ids {
				i = (i + n) % len(ids)
				start := time.Now()
				k.do(in[i])
				times[i] = append(times[i], time.Since(start))
				if !strings.HasPrefix(string(k.sk.last), "HTTP/1.1 404 ") {
					t.Fatalf("%s, %s: %q", what, ids[i].name, k.sk.last)
				}
			}
		}
		var medians []time.Duration
		text := ""
		for i, id := range ids {
			slices.Sort(times[i])
			at := func(part int) time.Duration { return times[i][rounds*part/100] }
			medians = append(medians, at(50))
			text += fmt.Sprintf("  %s %v (%v-%v)", id.name, at(50), at(25), at(75))
		}
		t.Logf("%-10s%s", what, text)
		if d := (medians[0] - medians[1]).Abs(); d > medians[1]/10+200*time.Nanosecond {
			t.Errorf("%s: the medians are %v", what, medians)
		}
	}
}
