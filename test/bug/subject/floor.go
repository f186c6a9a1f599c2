package main

import (
	"fmt"
	"runtime"

	"github.com/panjf2000/gnet/v2"
)

// floor is a gnet server that parses nothing: each read is taken for one whole request, and the
// answers are fixed. The answer to a GET is the head of an event stream.
type floor struct {
	gnet.BuiltinEventEngine
	answer []byte
	stream []byte
}

func serveFloor(addr string) error {
	const content = `{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"ahoy"}]}}`
	f := &floor{
		answer: fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 00:00:00 GMT\r\nMcp-Session-Id: 0\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(content), content),
		stream: []byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"),
	}
	return gnet.Run(f, "tcp4://"+addr, gnet.WithNumEventLoop(runtime.GOMAXPROCS(0)))
}

// OnBoot implements gnet.EventHandler.
func (f *floor) OnBoot(gnet.Engine) gnet.Action {
	fmt.Println("serving")
	return gnet.None
}

// OnTraffic implements gnet.EventHandler.
func (f *floor) OnTraffic(c gnet.Conn) gnet.Action {
	b, _ := c.Next(-1)
	if len(b) > 0 && b[0] == 'G' {
		_, _ = c.Write(f.stream)
		return gnet.None
	}
	_, _ = c.Write(f.answer)
	return gnet.None
}
