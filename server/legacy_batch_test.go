package server

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// batch sends an array and returns the response.
func (s *sessionClient) batch(fields []string, members ...string) *response {
	s.t.Helper()
	p := s.dial(1)
	p.send(s.message("["+strings.Join(members, ",")+"]", fields...))
	s.await("a batch", func() bool { return len(p.got) > 0 && s.port.s.calls.Load() == 0 })
	return p.next("POST")
}

const pingBody = `{"jsonrpc":"2.0","id":%d,"method":"ping"}`

// L16: arrays for sessions at 2025-03-26, and for nobody else.
func TestBatches(t *testing.T) {
	noted := `{"jsonrpc":"2.0","method":"notifications/initialized"}`
	r := newPort(t, &Options{MaxResponse: 64 << 10})
	s := r.initialize("2025-03-26")
	add := `{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":2}}}`
	echo := `{"jsonrpc":"2.0","id":2.5,"method":"tools/call","params":{"name":"echo","arguments":{"text":"ahoy"}}}`
	whole := func(why string, res *response, status, n int, parts ...string) {
		t.Helper()
		if res.status != status {
			t.Fatalf("%s: %d %s", why, res.status, res.body)
		}
		b, err := jsonrpc.DecodeBatch([]byte(res.body))
		if err != nil || b.Len() != n {
			t.Fatalf("%s: %d responses (%v): %s", why, b.Len(), err, res.body)
		}
		for _, part := range parts {
			if !strings.Contains(res.body, part) {
				t.Errorf("%s: %q is not in %s", why, part, res.body)
			}
		}
	}
	whole("one", s.batch(nil, fmt.Sprintf(pingBody, 7)), 200, 1, `"id":7,"result":{}`)
	res := s.batch(nil, fmt.Sprintf(pingBody, 1), noted, add, `{"jsonrpc":"2.0","id":"ask-1","result":{}}`, strings.Replace(echo, "2.5", "2", 1))
	whole("mixed", res, 200, 3, `"id":1,"result":{}`, `"id":"x"`, `"id":2,`, "ahoy")
	for range 2 { // requests alike: there is no id in flight but the batch's
		whole("the same id twice", s.batch(nil, fmt.Sprintf(pingBody, 1), fmt.Sprintf(pingBody, 1)), 200, 2)
	}
	for _, members := range [][]string{{noted}, {noted, noted, `{"jsonrpc":"2.0","id":3,"result":{}}`}} {
		if res := s.batch(nil, members...); res.status != 202 || res.body != "" || res.head.Get("Content-Type") != "" {
			t.Errorf("nothing to answer: %d %q %v", res.status, res.body, res.head)
		}
	}
	whole("initialize inside", s.batch(nil, initializeBody("2025-03-26"), fmt.Sprintf(pingBody, 1)), 200, 2, "initialize cannot be part", `"id":1,"result":{}`)
	whole("bad members", s.batch(nil, "1", "{}", "[]", `{"jsonrpc":"2.0","id":9,"method":"no/such"}`, fmt.Sprintf(pingBody, 1)), 200, 5, "-32600", "-32601", `"id":1,"result":{}`)
	var many []string
	for i := range maxBatch + 1 {
		many = append(many, fmt.Sprintf(pingBody, i))
	}
	whole("as many as can be", s.batch(nil, many[1:]...), 200, maxBatch)
	for why, res := range map[string]*response{
		"too many": s.batch(nil, many...), "none": s.batch(nil), "broken": s.batch(nil, "{"), "half": s.batch(nil, `{"jsonrpc":"2.0"`),
	} {
		if res.status != 400 || !strings.Contains(res.body, `"error"`) {
			t.Errorf("%s: %d %s", why, res.status, res.body)
		}
	}
	p := r.dial(0)
	p.send(post(s.id, "1999-01-01", "["+fmt.Sprintf(pingBody, 1)+"]"))
	p.wantResponse("a version that is not served", 400)
	// D9: the bound on a response holds for all of them together; the small ones are there.
	long := fmt.Sprintf(`{"jsonrpc":"2.0","id":%%d,"method":"tools/call","params":{"name":"echo","arguments":{"text":%q}}}`, strings.Repeat("x", 20<<10))
	res = s.batch(nil, fmt.Sprintf(long, 1), fmt.Sprintf(long, 2), fmt.Sprintf(long, 3), fmt.Sprintf(long, 4), fmt.Sprintf(long, 5), fmt.Sprintf(pingBody, 6))
	whole("too long together", res, 200, 6, "exceeds the server's limit", `"id":6,"result":{}`)
	if len(res.body) > 66<<10 {
		t.Errorf("%d bytes", len(res.body))
	}
	// A question has no way out of a batch, a level and a subscription have.
	r.cue("a", "ask 1")
	whole("asks inside", s.batch(nil, playBody("1", "a"), fmt.Sprintf(pingBody, 2)), 200, 2, `"id":1,"error"`, `"id":2,"result":{}`)
	whole("operations", s.batch(nil, `{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"error"}}`, `{"jsonrpc":"2.0","id":2,"method":"resources/subscribe","params":{"uri":"rig://a"}}`), 200, 2)
	if n := r.s.Stats().SessionsWithState; n != 1 {
		t.Errorf("%d sessions with state", n)
	}
	s.delete(0, 204)
	for _, rev := range []string{"2025-11-25", "2025-06-18"} {
		if res := r.initialize(rev).batch(nil, fmt.Sprintf(pingBody, 1)); res.status != 400 {
			t.Errorf("%s: %d %s", rev, res.status, res.body)
		}
	}
	p.send(request{body: "[" + fmt.Sprintf(pingBody, 1) + "]"}.String())
	p.wantResponse("no session", 400)
	r.wantNothingHeld("after all")
}

// The log messages of a batch make it a stream, which is resumed like any other; two batches may
// run at once; big ones too.
func TestBatchStream(t *testing.T) {
	r := newPort(t, nil)
	s := r.initialize("2025-03-26")
	p, q := r.dial(0), r.dial(1)
	p.send(s.message("[" + playBody("1", "a") + "," + playBody("2", "b") + strings.Repeat(" ", bigContent) + "]"))
	q.send(s.message("[" + playBody("1", "c") + "]"))
	r.cue("a", "one", "end")
	events := s.wantTold("the first", p, "one")
	p.fin()
	r.cue("c", "end")
	r.await("the second", func() bool { return len(q.got) > 0 })
	q.wantResponse("the second", 200)
	r.cue("b", "two", "end")
	g := s.get(0, last(events))
	s.until("resumed", g, "END")
	r.callsEnd("both")
}
