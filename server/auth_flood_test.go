package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/server"
)

// TestAuthenticateFlood measures how long valid calls take while clients send 20,000 different bad
// tokens a second, as far as the machine can.
func TestAuthenticateFlood(t *testing.T) {
	if os.Getenv("MOORING_LONG") == "" {
		t.Skip("a measurement: set MOORING_LONG")
	}
	var calls atomic.Int64
	s := server.New(newHandlerServer(t), authOptions(&calls, 0))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = s.Shutdown(ctx)
		<-served
	}()
	wire := func(token string) string {
		r := withToken(token, call("add", `{"A":1,"B":2}`))
		body, _ := io.ReadAll(r.Body)
		var b strings.Builder
		fmt.Fprintf(&b, "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n", len(body))
		_ = r.Header.Write(&b)
		return b.String() + "\r\n" + string(body)
	}
	exchange := func(c net.Conn, br *bufio.Reader, in string) (int, error) {
		if _, err := io.WriteString(c, in); err != nil {
			return 0, err
		}
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			return 0, err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode, err
	}
	dial := func() (net.Conn, *bufio.Reader) {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return c, bufio.NewReader(c)
	}
	measure := func(n int) time.Duration {
		c, br := dial()
		defer c.Close()
		in := wire("u1")
		var all []time.Duration
		for range n {
			begin := time.Now()
			if status, err := exchange(c, br, in); status != 200 {
				t.Fatalf("%d %v", status, err)
			}
			all = append(all, time.Since(begin))
			time.Sleep(500 * time.Microsecond)
		}
		slices.Sort(all)
		return all[len(all)*99/100]
	}
	flood := func(good bool) (stop func() int64) {
		end := make(chan struct{})
		var sent atomic.Int64
		before, after, _ := strings.Cut(wire("u-the-token"), "u-the-token")
		for i := range 8 {
			c, br := dial()
			go func() {
				defer c.Close()
				for n := 0; ; n++ {
					select {
					case <-end:
						return
					default:
					}
					token := "u2"
					if !good {
						token = fmt.Sprintf("bad-%d-%d", i, n)
					}
					if _, err := exchange(c, br, before+token+after); err != nil {
						t.Error(err)
						return
					}
					if sent.Add(1)%20 == 0 {
						time.Sleep(time.Millisecond)
					}
				}
			}()
		}
		return func() int64 {
			close(end)
			return sent.Load()
		}
	}
	measure(500)
	quiet := measure(4000)
	begin := time.Now()
	stop := flood(true)
	load := measure(4000)
	rate := float64(stop()) / time.Since(begin).Seconds()
	begin = time.Now()
	stop = flood(false)
	under := measure(4000)
	bad := float64(stop()) / time.Since(begin).Seconds()
	t.Logf("p99 of valid calls: %v alone, %v with %.0f valid calls a second, %v with %.0f bad tokens a second; %v",
		quiet, load, rate, under, bad, s.Stats().Authentications)
	if under > 3*load/2+5*time.Millisecond {
		t.Errorf("bad tokens slow valid calls down: p99 %v, and %v under as many valid calls", under, load)
	}
}
