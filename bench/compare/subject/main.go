// Command subject is a server to be measured, in a process of its own: Mooring, or the floor that
// it is compared with, a bare gnet server with fixed answers. It prints the address that it serves
// on, and then answers one command per line on standard input: see serveCommands.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"log"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/mooring-mcp/mooring/server"
)

// A subject is a running server.
type subject interface {
	addr() string
	change() // notifies every stream of a change
	lag() time.Duration
}

func main() {
	kind := flag.String("kind", "mooring", "what to serve: mooring, gnet (a listener of gnet's own), or enrolled (its own accept, like Mooring's)")
	answer := flag.Int("answer", 200, "bytes of content in the floor's fixed answer")
	engine := flag.String("engine", "gnet", "Mooring's event loop: gnet or epoll")
	large := flag.Int("large", 0, "bytes in the answer of Mooring's tool large; 0: no such tool")
	tokens := flag.Bool("auth", false, "Mooring demands tokens of the form user.unix.rest, which expire at that time")
	flag.Parse()
	var s subject
	var err error
	switch *kind {
	case "mooring":
		s, err = startMooring(server.Engine(*engine), *large, *tokens)
	case "gnet", "enrolled":
		s, err = startFloor(*kind == "enrolled", *answer)
	default:
		err = fmt.Errorf("unknown kind %q", *kind)
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.addr())
	serveCommands(s)
}

// serveCommands answers mem (collect garbage, give memory back, print RSS, live heap and
// goroutines), cpu (print nanoseconds of user and system time), lag (print nanoseconds of the
// longest lag of a loop in the last 15 s or more), change and profile FILE.
func serveCommands(s subject) {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		cmd, arg, _ := strings.Cut(in.Text(), " ")
		switch cmd {
		case "mem":
			for range 3 {
				runtime.GC()
			}
			debug.FreeOSMemory()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			fmt.Println(rss(), m.HeapAlloc, runtime.NumGoroutine())
		case "cpu":
			var u syscall.Rusage
			if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
				log.Fatal(err)
			}
			fmt.Println(u.Utime.Nano(), u.Stime.Nano())
		case "lag":
			fmt.Println(s.lag().Nanoseconds())
		case "change":
			s.change()
			fmt.Println("ok")
		case "profile":
			if err := profile(arg); err != nil {
				log.Fatal(err)
			}
			fmt.Println("ok")
		default:
			log.Fatalf("unknown command %q", cmd)
		}
	}
}

// rss returns the resident set in bytes.
func rss() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		log.Fatal(err)
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(b), &size, &resident); err != nil {
		log.Fatal(err)
	}
	return resident * int64(os.Getpagesize())
}
