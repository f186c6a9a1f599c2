// Command gnet is a floor: event loops of gnet, a parser that looks for four things, and answers
// that are fixed except for the id. No server can avoid what it does: it is a lower bound for
// servers on event loops, not a server to be used.
//
// gnet stops the whole engine if accept fails for want of descriptors, so a client that opens more
// connections than the process may have stops this server.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/panjf2000/gnet/v2"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to serve on")
	timeout := flag.Duration("shutdown-timeout", 10*time.Second, "time that the engine has to stop after SIGTERM")
	loops := flag.Int("loops", runtime.GOMAXPROCS(0), "number of event loops")
	flag.Parse()
	f := &floor{addr: *listen, timeout: *timeout, loops: make(map[gnet.EventLoop]*loop)}
	if err := gnet.Run(f, "tcp4://"+*listen, gnet.WithNumEventLoop(*loops), gnet.WithLogger(logger{})); err != nil {
		log.Fatal(err)
	}
}

// OnBoot implements [gnet.EventHandler].
func (f *floor) OnBoot(eng gnet.Engine) gnet.Action {
	fmt.Printf("listening on http://%s/mcp pid %d\n", f.addr, os.Getpid())
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-ctx.Done()
		stop() // a second signal ends the process at once
		bounded, cancel := context.WithTimeout(context.Background(), f.timeout)
		defer cancel()
		if err := eng.Stop(bounded); err != nil {
			log.Fatal(err)
		}
	}()
	return gnet.None
}
