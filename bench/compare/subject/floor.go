package main

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/panjf2000/gnet/v2"
	"github.com/panjf2000/gnet/v2/pkg/logging"
	"go.uber.org/zap"
)

// floor is a gnet server that parses nothing: each read is taken for one whole request, and the
// answer is fixed. The answer to a GET is the head of an event stream, and the connection is kept.
type floor struct {
	gnet.BuiltinEventEngine
	answer []byte
	stream []byte
	frame  []byte

	booted chan struct{}
	mu     sync.Mutex
	byLoop map[gnet.EventLoop]map[gnet.Conn]struct{}
	at     string
}

func startFloor(enrolled bool, answer int) (subject, error) {
	content := strings.Repeat("x", answer)
	f := &floor{
		answer: fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 00:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(content), content),
		stream: []byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"),
		frame:  []byte("87\r\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":12345}}}\n\n\r\n"),
		booted: make(chan struct{}),
		byLoop: make(map[gnet.EventLoop]map[gnet.Conn]struct{}),
	}
	loops := gnet.WithNumEventLoop(runtime.GOMAXPROCS(0))
	quiet := gnet.WithLogger(zap.NewNop().Sugar())
	var _ logging.Logger = zap.NewNop().Sugar()
	if enrolled {
		return f, f.serveEnrolled(loops, quiet)
	}
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f.at = probe.Addr().String()
	if err := probe.Close(); err != nil {
		return nil, err
	}
	failed := make(chan error, 1)
	go func() { failed <- gnet.Run(f, "tcp://"+f.at, loops, quiet) }()
	select {
	case <-f.booted:
		return f, nil
	case err := <-failed:
		return nil, err
	}
}

func (f *floor) serveEnrolled(opts ...gnet.Option) error {
	client, err := gnet.NewClient(f, opts...)
	if err != nil {
		return err
	}
	if err := client.Start(); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	f.at = l.Addr().String()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := client.EnrollContext(c, nil); err != nil {
				return
			}
		}
	}()
	return nil
}

func (f *floor) addr() string { return f.at }

func (f *floor) lag() time.Duration { return 0 } // it has no ticks

// OnBoot implements gnet.EventHandler.
func (f *floor) OnBoot(gnet.Engine) gnet.Action {
	close(f.booted)
	return gnet.None
}

// OnTraffic implements gnet.EventHandler.
func (f *floor) OnTraffic(c gnet.Conn) gnet.Action {
	b, _ := c.Next(-1)
	if len(b) > 3 && b[0] == 'G' {
		_, _ = c.Write(f.stream)
		f.mu.Lock()
		conns := f.byLoop[c.EventLoop()]
		if conns == nil {
			conns = make(map[gnet.Conn]struct{})
			f.byLoop[c.EventLoop()] = conns
		}
		conns[c] = struct{}{}
		f.mu.Unlock()
		return gnet.None
	}
	_, _ = c.Write(f.answer)
	return gnet.None
}

// OnClose implements gnet.EventHandler.
func (f *floor) OnClose(c gnet.Conn, _ error) gnet.Action {
	f.mu.Lock()
	delete(f.byLoop[c.EventLoop()], c)
	f.mu.Unlock()
	return gnet.None
}

// change writes the fixed frame to every stream, each loop to its own.
func (f *floor) change() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for loop, conns := range f.byLoop {
		_ = loop.Execute(context.Background(), gnet.RunnableFunc(func(context.Context) error {
			for c := range conns {
				_, _ = c.Write(f.frame)
			}
			return nil
		}))
	}
}
