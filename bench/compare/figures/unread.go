package main

import (
	"bytes"
	"log"
	"net"
	"sync"
	"time"
)

// The clients of measureUnread.
const (
	unreadClients = 1000
	unreadBytes   = 104 << 10 // of pipelined requests, for each client
	unreadWatched = 10 * time.Second
	unreadGone    = 60 * time.Second
	mib           = 1 << 20
)

// measureUnread measures the memory of a server while clients request much and read nothing, and a
// minute after they have disconnected.
func measureUnread(bin string, o *options) []row {
	peak := row{name: "unread_rss_peak", what: "1,000 clients that pipeline 104 KB of tools/list and read nothing: MiB of RSS above before", bound: [2]float64{200, 200}}
	after := row{name: "unread_rss_after", what: "the same 60 s after they have disconnected", bound: [2]float64{40, 40}}
	for range o.rounds {
		var m [len(engines)]*served
		var before [len(engines)]float64
		var gone [len(engines)]time.Time
		for e, engine := range engines {
			m[e] = serve(bin, engine)
			time.Sleep(time.Second)
			before[e] = rss(m[e].pid())
			peak.on[e] = append(peak.on[e], (unread(m[e])-before[e])/mib)
			gone[e] = time.Now()
		}
		for e := range engines {
			time.Sleep(time.Until(gone[e].Add(unreadGone)))
			after.on[e] = append(after.on[e], (rss(m[e].pid())-before[e])/mib)
			m[e].stop()
		}
	}
	return []row{peak, after}
}

// unread runs the clients and returns the greatest RSS of the server while they are connected. They
// have disconnected when it returns.
func unread(m *served) (most float64) {
	one := message(m.addr, "tools/list", "", "")
	all := bytes.Repeat(one, unreadBytes/len(one))
	conns := make([]net.Conn, unreadClients)
	var wg sync.WaitGroup
	for i := range conns {
		c, err := net.Dial("tcp", m.addr)
		if err != nil {
			log.Fatal(err)
		}
		conns[i] = c
		wg.Go(func() {
			_ = c.SetWriteDeadline(time.Now().Add(unreadWatched))
			_, _ = c.Write(all) // the server may refuse to read it all, or hang up
		})
	}
	for end := time.Now().Add(unreadWatched); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		most = max(most, rss(m.pid()))
	}
	for _, c := range conns {
		_ = c.Close()
	}
	wg.Wait()
	return most
}
