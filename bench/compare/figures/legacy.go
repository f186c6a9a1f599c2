package main

import (
	"bytes"
	"fmt"
	"log"
	"net"
)

const legacyRevision = "2025-11-25"

// legacyMessage returns a POST of a session of an earlier revision. If the session ID is empty, it
// has none.
func legacyMessage(addr, sid, body string) []byte {
	head := fmt.Sprintf("POST /mcp HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nAccept-Encoding: gzip\r\nUser-Agent: figures/1.0\r\n", addr)
	if sid != "" {
		head += "MCP-Protocol-Version: " + legacyRevision + "\r\nMcp-Session-Id: " + sid + "\r\n"
	}
	return fmt.Appendf(nil, "%sContent-Length: %d\r\n\r\n%s", head, len(body), body)
}

// initialize opens a session on c and returns its ID.
func initialize(c net.Conn, addr string) string {
	body := `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"` + legacyRevision + `","capabilities":{},"clientInfo":{"name":"figures","version":"1.0.0"}}}`
	if _, err := c.Write(legacyMessage(addr, "", body)); err != nil {
		log.Fatal(err)
	}
	buf := make([]byte, 64<<10)
	for have := 0; ; {
		n, err := c.Read(buf[have:])
		if err != nil {
			log.Fatalf("initialize: %v after %q", err, buf[:have])
		}
		if have += n; bytes.Contains(buf[:have], []byte(`"serverInfo"`)) {
			_, rest, _ := bytes.Cut(buf[:have], []byte("\r\nMcp-Session-Id: "))
			id, _, _ := bytes.Cut(rest, endOfFieldVal)
			return string(id)
		}
	}
}

func dial(addr string) net.Conn {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		log.Fatal(err)
	}
	return c
}

// sessions opens n sessions on one connection.
func sessions(addr string, n int) []string {
	c := dial(addr)
	defer c.Close()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = initialize(c, addr)
	}
	return ids
}

// measureLegacy compares sessions of an earlier revision with the modern protocol: an idle GET
// stream with an idle listen stream, and a call with a call.
func measureLegacy(bin string, rounds, conns, n, streams int) {
	var rss, heap []float64
	for range rounds {
		p := start(bin, "-kind=mooring")
		ids := sessions(p.addr, streams)
		r, h := perConn(p, streams, func(i int) []byte {
			return fmt.Appendf(nil, "GET /mcp HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\nMCP-Protocol-Version: %s\r\nMcp-Session-Id: %s\r\n\r\n", p.addr, legacyRevision, ids[i])
		}, ":\n\n")
		rss, heap = append(rss, r), append(heap, h)
		p.stop()
	}
	fmt.Printf("| resident bytes per idle GET stream of a %s session | | %s | |\n", legacyRevision, spread(rss))
	fmt.Printf("| live heap per idle GET stream | | %s | |\n", spread(heap))

	p := start(bin, "-kind=mooring")
	defer p.stop()
	modern := requestOf(p.addr, "echo")
	legacy := legacyMessage(p.addr, sessions(p.addr, 1)[0], `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":2}}}`)
	modernAdd := requestOf(p.addr, "add")
	call(p.addr, modern, conns, n/4)
	call(p.addr, legacy, conns, n/4)
	var old, now []float64
	for range rounds {
		old = append(old, cost(p, legacy, conns, n))
		now = append(now, cost(p, modernAdd, conns, n))
	}
	fmt.Printf("| server CPU-s per 100,000 `add`: in a session, against 2026-07-28 | %s | %s | **%.2f ×** |\n", spread(now), spread(old), pairwise(old, now))

	// A session serves one request with an id at a time, so each connection that calls a worker's
	// tool has a session of its own.
	echoes := make([][]byte, conns)
	for i, id := range sessions(p.addr, conns) {
		echoes[i] = legacyMessage(p.addr, id, `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello, world"}}}`)
	}
	old, now = nil, nil
	for range rounds {
		old = append(old, costEach(p, echoes, n))
		now = append(now, cost(p, modern, conns, n))
	}
	fmt.Printf("| server CPU-s per 100,000 `echo`: in a session, against 2026-07-28 | %s | %s | **%.2f ×** |\n", spread(now), spread(old), pairwise(old, now))
}
