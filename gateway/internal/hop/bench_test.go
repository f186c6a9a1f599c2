package hop

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

// benchServer is the environment variable that makes the test binary a server, so that its
// processor time is not that of the links.
const benchServer = "HOP_BENCH_SERVER"

// serveBench answers every request with the result for its id, until its standard input ends.
func serveBench() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(ln.Addr())
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go answerBench(c)
		}
	}()
	_, _ = os.Stdin.Read(make([]byte, 1))
}

func answerBench(c net.Conn) {
	defer c.Close()
	br := bufio.NewReader(c)
	var out []byte
	for {
		length := 0
		for {
			line, err := br.ReadSlice('\n')
			if err != nil {
				return
			}
			if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
				length, _ = strconv.Atoi(string(bytes.TrimSpace(v)))
			}
			if len(line) == 2 {
				break
			}
		}
		body, err := br.Peek(length)
		if err != nil {
			return
		}
		_, after, _ := bytes.Cut(body, []byte(`"id":`))
		id, _, _ := bytes.Cut(after, []byte(","))
		text := strings.Repeat("x", 70)
		content := fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"%s"}]}}`, id, text)
		_, _ = br.Discard(length)
		out = fmt.Appendf(out[:0], "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(content), content)
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

// A window is a Receiver that keeps a number of requests in flight.
type window struct {
	l    *Link
	left atomic.Int64
	done chan struct{}
	open atomic.Int64
	bad  atomic.Int64
}

func (w *window) Receive(int64, []byte) { w.again() }
func (w *window) Failed(int64, *link.Error) {
	w.bad.Add(1)
	w.again()
}
func (w *window) Lost(*link.Error) {}

func (w *window) again() {
	if id := w.left.Add(-1); id >= 0 {
		w.l.Send(call(id + 1))
	} else if w.open.Add(-1) == 0 {
		close(w.done)
	}
}

func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPOST sends small calls, 64 at a time over 32 connections, and reports the processor time
// of this process for 100,000 of them.
func BenchmarkPOST(b *testing.B) {
	for _, bt := range []struct {
		name, version string
		base          *http.Transport
	}{{"plain/2025-11-25", "2025-11-25", nil}, {"plain/2026-07-28", modernVersion, nil}, {"transport/2025-11-25", "2025-11-25", &http.Transport{}}} {
		b.Run(bt.name, func(b *testing.B) {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), benchServer+"=1")
			stdin, err := cmd.StdinPipe()
			if err != nil {
				b.Fatal(err)
			}
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				b.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				b.Fatal(err)
			}
			defer cmd.Wait()
			defer stdin.Close()
			addr, err := bufio.NewReader(stdout).ReadString('\n')
			if err != nil {
				b.Fatal(err)
			}
			u, err := New(Options{URL: "http://" + strings.TrimSpace(addr) + "/mcp", Transport: bt.base, Header: http.Header{"Authorization": {"Bearer abc"}}})
			if err != nil {
				b.Fatal(err)
			}
			defer u.Close(context.Background())
			w := &window{done: make(chan struct{})}
			w.l = u.Open(w, OpenOptions{})
			w.l.Negotiated(bt.version)
			w.open.Store(64)
			w.left.Store(int64(b.N))
			b.ReportAllocs()
			b.ResetTimer()
			before := processorTime()
			for range 64 {
				w.again()
			}
			<-w.done
			b.ReportMetric((processorTime()-before).Seconds()/float64(b.N)*100e3, "cpu-s/100k")
			b.ReportMetric(float64(w.bad.Load()), "failed")
		})
	}
}
