package hop

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
	"github.com/mooring-mcp/mooring/jsonrpc"
)

// FuzzResponse sends any bytes as the response to a request. The request has one outcome, what its
// Receiver gets are messages, and nothing is left.
func FuzzResponse(f *testing.F) {
	for _, head := range []string{
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
		"HTTP/1.1 404 Not Found\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n", "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 307 Temporary Redirect\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1, max=0\r\nContent-Length: 3\r\n\r\n",
	} {
		for _, body := range []string{"", result(1), "data: " + result(1) + "\n\n", "[" + progress + "," + result(1) + "]", "\ufeff \n{", "id: 1\nretry: 0\ndata:\n\n"} {
			f.Add([]byte(head + body))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		u, err := New(Options{URL: "http://localhost/mcp", MaxMessage: 4 << 10, BreakerAfter: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		p, ok := u.pool.(*plain)
		if !ok {
			t.Skip("localhost is reached through a proxy")
		}
		p.dial = func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			go func() {
				defer there.Close()
				buf := make([]byte, 4<<10)
				if _, err := there.Read(buf); err == nil {
					_ = there.SetWriteDeadline(time.Now().Add(time.Second))
					_, _ = there.Write(text)
				}
			}()
			u.stats.sockets.Add(1)
			return &conn{Conn: here, stats: &u.stats}, nil
		}
		r := &strict{record: newRecord(), t: t}
		l := u.Open(r, OpenOptions{})
		l.Negotiated(modernVersion) // nothing is taken up again
		l.Send(call(1))
		outcomes := 0
		for outcomes == 0 {
			if o := r.next(t); o.err != nil || o.msg != "" && isResponse(o.msg) {
				outcomes++
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := u.Close(ctx); err != nil {
			t.Fatalf("%v: %+v", err, u.Stats())
		}
		select {
		case o := <-r.ch:
			t.Errorf("got %v after the outcome", o)
		default:
		}
		if st := u.Stats(); st.Sockets != 0 || st.InFlight != 0 {
			t.Errorf("left: %+v", st)
		}
	})
}

// A strict Receiver checks that what it gets are messages.
type strict struct {
	*record
	t *testing.T
}

var _ link.Receiver = (*strict)(nil)

func (s *strict) Receive(on int64, msg []byte) {
	var env jsonrpc.Envelope
	if err := env.Decode(msg); err != nil || on != 1 {
		s.t.Errorf("on %d: %q: %v", on, msg, err)
	}
	s.record.Receive(on, msg)
}

func isResponse(msg string) bool {
	var env jsonrpc.Envelope
	return env.Decode([]byte(msg)) == nil && env.Method == nil
}

// A Keep-Alive field, a Retry-After field and a name are from outside, too.
func FuzzHeader(f *testing.F) {
	f.Add("timeout=5, max=100", "120", "ü")
	f.Add("timeout=-1,max=\"7\",", "Mon, 30 Nov 2026 10:00:00 GMT", "=?base64?eA==?=")
	f.Fuzz(func(t *testing.T, alive, retry, name string) {
		now := time.Unix(1.8e9, 0)
		if timeout, n := keepAlive(map[string][]string{"Keep-Alive": {alive}}); timeout > 1<<20*time.Second || n > 1<<20 {
			t.Errorf("%q: got %v, %d", alive, timeout, n)
		}
		if d := retryAfter(map[string][]string{"Retry-After": {retry}}, now); d < 0 || d > maxRetryAfter {
			t.Errorf("%q: got %v", retry, d)
		}
		if v := fieldText(name); !validField("Mcp-Name", v) {
			t.Errorf("%q: got %q", name, v)
		}
	})
}
