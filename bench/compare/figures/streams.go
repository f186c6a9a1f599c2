package main

import (
	"bytes"
	"fmt"
	"log"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// open opens n connections to addr, sends req on each, and reads until want is seen. The request's
// id is the number of the connection.
func open(addr string, n int, req func(i int) []byte, want string) []net.Conn {
	conns := make([]net.Conn, n)
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			buf := make([]byte, 4096)
			for i := w; i < n; i += 16 {
				d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+i/2000))}, Control: portAtConnect}
				c, err := d.Dial("tcp", addr)
				if err != nil {
					log.Fatal(err)
				}
				if _, err := c.Write(req(i)); err != nil {
					log.Fatal(err)
				}
				for have := 0; !bytes.Contains(buf[:have], []byte(want)); {
					m, err := c.Read(buf[have:])
					if err != nil {
						log.Fatalf("read: %v after %q", err, buf[:have])
					}
					have += m
				}
				conns[i] = c
			}
		})
	}
	wg.Wait()
	return conns
}

// portAtConnect leaves the choice of the port to connect, which can reuse one that a connection to
// another address still has.
func portAtConnect(_, _ string, rc syscall.RawConn) error {
	var err error
	if cerr := rc.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1) }); cerr != nil {
		return cerr
	}
	return err
}

func closeAll(conns []net.Conn) {
	for _, c := range conns {
		_ = c.Close()
	}
	time.Sleep(time.Second)
}

// listen returns subscriptions/listen requests with id 10,000 + i.
func listen(addr string) func(i int) []byte {
	return func(i int) []byte {
		b := message(addr, "subscriptions/listen", "", `"notifications":{"toolsListChanged":true},`)
		b = bytes.Replace(b, []byte(`"id":7`), fmt.Appendf(nil, `"id":%d`, 10_000+i), 1)
		head, body, _ := bytes.Cut(b, endOfHead)
		head = head[:bytes.LastIndex(head, lengthField)]
		return fmt.Appendf(head, "\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
}

const acknowledged = "subscriptions/acknowledged"

// perConn opens n connections twice, the first time to warm up, and returns resident and live heap
// bytes per connection.
func perConn(p *process, n int, req func(i int) []byte, want string) (rss, heap float64) {
	closeAll(open(p.addr, n, req, want))
	rss0, heap0 := p.mem()
	conns := open(p.addr, n, req, want)
	time.Sleep(500 * time.Millisecond)
	rss1, heap1 := p.mem()
	closeAll(conns)
	return (rss1 - rss0) / float64(n), (heap1 - heap0) / float64(n)
}

// measureMemory compares an idle stream with a bare enrolled connection.
func measureMemory(bin string, rounds, n int) {
	var rssM, heapM, rssF, heapF []float64
	for range rounds {
		f := start(bin, "-kind=enrolled")
		r, h := perConn(f, n, func(int) []byte { return []byte("POST") }, "\r\n\r\n")
		rssF, heapF = append(rssF, r), append(heapF, h)
		f.stop()
		m := start(bin, "-kind=mooring")
		r, h = perConn(m, n, listen(m.addr), acknowledged)
		rssM, heapM = append(rssM, r), append(heapM, h)
		m.stop()
	}
	fmt.Printf("| resident bytes per idle stream | %s | %s | **+%.0f B** |\n", spread(rssF), spread(rssM), median(rssM)-median(rssF))
	fmt.Printf("| live heap per idle stream | %s | %s | **+%.0f B** |\n", spread(heapF), spread(heapM), median(heapM)-median(heapF))
}

// measureNotices compares the processor time of notifying all streams.
func measureNotices(bin string, rounds, n int) {
	const per = 10
	m := start(bin, "-kind=mooring")
	f := start(bin, "-kind=enrolled")
	connsM := open(m.addr, n, listen(m.addr), acknowledged)
	ours := notices(m, connsM, rounds, per, "tools/list_changed")
	closeAll(connsM)
	connsF := open(f.addr, n, func(int) []byte { return []byte("GET / HTTP/1.1\r\n\r\n") }, "\r\n\r\n")
	floors := notices(f, connsF, rounds, per, "tools/list_changed")
	closeAll(connsF)
	m.stop()
	f.stop()
	fmt.Printf("| server CPU µs per notice delivered to one of %d streams | %s | %s | **%.2f ×** |\n", n, spread(floors), spread(ours), pairwise(ours, floors))
}

// notices makes changes, each after the previous one has reached all streams, and returns
// microseconds of processor time per delivery.
func notices(p *process, conns []net.Conn, rounds, per int, want string) (costs []float64) {
	for range rounds {
		before := p.cpu()
		for range per {
			p.change()
			receiveAll(conns, want)
		}
		costs = append(costs, (p.cpu()-before)/float64(per*len(conns))*1e6)
	}
	return costs
}

// receiveAll reads until every connection has received one more event with want.
func receiveAll(conns []net.Conn, want string) {
	buf := make([]byte, 4096)
	for _, c := range conns {
		for have := 0; !bytes.Contains(buf[:have], []byte(want)); {
			n, err := c.Read(buf[have:])
			if err != nil {
				log.Fatalf("read: %v", err)
			}
			have += n
		}
	}
}
