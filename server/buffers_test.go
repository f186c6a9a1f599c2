package server

import (
	"bytes"
	"runtime"
	"testing"
)

// heapOf returns the average growth of the live heap, in bytes, for each of the n things that f
// makes.
func heapOf(n int, f func()) int64 {
	live := func() int64 {
		var m runtime.MemStats
		for range 3 {
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := live()
	f()
	return (live() - before) / int64(n)
}

// TestPartialHeadsCostWhatTheySent checks that a connection that has sent part of a head holds
// only that part and the parser's position, and one that has sent part of its content only that
// part as well, whatever its earlier requests needed.
func TestPartialHeadsCostWhatTheySent(t *testing.T) {
	if raceEnabled() || testing.Short() {
		t.Skip("measures the heap")
	}
	const n = 2000
	partOfHead := []byte("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
		"Accept: application/json, text/event-stream\r\nX-Padding: " +
		string(bytes.Repeat([]byte("x"), 8000)))
	content := append([]byte("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
		"Accept: application/json\r\nContent-Length: 4000000\r\n\r\n"),
		bytes.Repeat([]byte(" "), 60_000)...)
	for _, used := range []bool{false, true} {
		l := newIdleLoop(t, nil)
		if used {
			s := l.connect()
			for _, size := range []int{200, 5000, 15_000} {
				for range 2 * keepExchanges / 100 {
					long := string(bytes.Repeat([]byte("y"), size))
					s.deliver([]byte(request{method: "tools/fly", body: `{"jsonrpc":"2.0","id":1,"method":"x","params":{"x":"` + long + `"}}`}.String()))
				}
			}
			for range 50_000 {
				b := bufferOf(make([]byte, 200))
				b.Add(make([]byte, 60_000))
				release(b)
			}
		}
		socks := make([]*idleSocket, n)
		idle := heapOf(n, func() {
			for i := range socks {
				socks[i] = l.connect()
			}
		})
		for _, tt := range []struct {
			what  string
			sent  []byte
			fixed int64 // what a request needs in addition to its bytes
		}{
			{"part of a head", partOfHead[:1], 300},
			{"part of a head", partOfHead[:90], 300},
			{"part of a head", partOfHead[:700], 300},
			{"part of a head", partOfHead, 300},
			{"part of the content", content[:200], 700},
			{"part of the content", content[:1500], 700},
			{"part of the content", content[:50_000], 700},
		} {
			for i, s := range socks {
				s.end(nil)
				socks[i] = l.connect()
			}
			got := heapOf(n, func() {
				for _, s := range socks {
					s.deliver(tt.sent)
				}
			})
			t.Logf("after use %v: an idle connection holds %d bytes; with %d bytes of %s, %d more", used, idle, len(tt.sent), tt.what, got)
			if got > tt.fixed+2*int64(len(tt.sent)) {
				t.Errorf("after use %v: %s of %d bytes holds %d bytes", used, tt.what, len(tt.sent), got)
			}
		}
		runtime.KeepAlive(socks)
	}
}
