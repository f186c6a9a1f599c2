package server_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

// BenchmarkHandlerCall measures a call of an inline tool over loopback connections that stay open:
// through the handler on net/http, on the fast server, and of net/http alone with a handler that
// reads the content and answers as much. Client and server share the process.
func BenchmarkHandlerCall(b *testing.B) {
	m := newHandlerServer(b)
	log := slog.New(slog.DiscardHandler)
	engines := map[string]server.Engine{"gnet": server.EngineGnet, "epoll": server.EngineEpoll}
	for _, name := range []string{"gnet", "epoll"} {
		o := &server.Options{Engine: engines[name], Logger: log}
		b.Run("handler-"+name, func(b *testing.B) {
			h := server.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return m }, &server.StreamableHTTPOptions{Options: o})
			defer h.Close()
			serveBench(b, h)
		})
		b.Run("fast-"+name, func(b *testing.B) {
			s := server.New(m, o)
			l, err := s.Listen("127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			go s.Serve(l)
			defer s.Shutdown(b.Context())
			callBench(b, l.Addr().String(), "/mcp")
		})
	}
	b.Run("bare", func(b *testing.B) {
		answer := bytes.Repeat([]byte("x"), 300)
		serveBench(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(answer)
		}))
	})
}

func serveBench(b *testing.B, h http.Handler) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	hs := &http.Server{Handler: h}
	go hs.Serve(l)
	defer hs.Close()
	callBench(b, l.Addr().String(), "/")
}

// callBench calls the tool "add" again and again on one connection.
func callBench(b *testing.B, addr, path string) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"A":1,"B":2},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`
	req := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: add\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
	br := bufio.NewReader(nc)
	one := func() {
		if _, err := nc.Write(req); err != nil {
			b.Fatal(err)
		}
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
			b.Fatal(resp.StatusCode, err)
		}
	}
	one()
	b.ReportAllocs()
	for b.Loop() {
		one()
	}
}
