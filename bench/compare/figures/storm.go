package main

import (
	"fmt"
	"log"
	"net"
	"strconv"
	"time"

	"github.com/mooring-mcp/mooring/internal/sockdiag"
)

// measureStorm compares how long sockets stay when all streams are closed at once.
func measureStorm(bin string, rounds, n int) {
	var ours, floors []float64
	for range rounds {
		f := start(bin, "-kind=enrolled")
		floors = append(floors, storm(f, n, func(int) []byte { return []byte("GET / HTTP/1.1\r\n\r\n") }, "\r\n\r\n"))
		f.stop()
		m := start(bin, "-kind=mooring")
		ours = append(ours, storm(m, n, listen(m.addr), acknowledged))
		m.stop()
	}
	fmt.Printf("| ms from the last of %d FINs to no socket | %s | %s | **%.2f ×** |\n", n, spread(floors), spread(ours), pairwise(ours, floors))
}

// storm opens n streams and closes them at once, twice, and returns the milliseconds from the last
// close to the end of the last socket the second time.
func storm(p *process, n int, req func(i int) []byte, want string) float64 {
	_, text, err := net.SplitHostPort(p.addr)
	if err != nil {
		log.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		log.Fatal(err)
	}
	r, err := sockdiag.NewReader()
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	var took float64
	for range 2 {
		conns := open(p.addr, n, req, want)
		time.Sleep(300 * time.Millisecond)
		for _, c := range conns {
			_ = c.Close()
		}
		last := time.Now()
		for {
			c, err := r.Count(port, 0)
			if err != nil {
				log.Fatal(err)
			}
			if c[sockdiag.Established]+c[sockdiag.CloseWait]+c[sockdiag.LastAck] == 0 {
				break
			}
			if time.Since(last) > time.Minute {
				log.Fatalf("sockets stay: %s", &c)
			}
			time.Sleep(time.Millisecond)
		}
		took = float64(time.Since(last)) / float64(time.Millisecond)
	}
	return took
}
