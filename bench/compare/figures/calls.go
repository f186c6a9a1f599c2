package main

import (
	"bytes"
	"fmt"
	"log"
	"net"
	"slices"
	"strconv"
	"sync"
)

// message returns a POST of a method at 2026-07-28, as a client sends it.
func message(addr, method, name, params string) []byte {
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":%q,"params":{%s"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"figures","version":"1.0.0"},"io.modelcontextprotocol/clientCapabilities":{}}}}`, method, params)
	head := fmt.Sprintf("POST /mcp HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nAccept-Encoding: gzip\r\nUser-Agent: figures/1.0\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: %s\r\n", addr, method)
	if name != "" {
		head += "Mcp-Name: " + name + "\r\n"
	}
	return fmt.Appendf(nil, "%sContent-Length: %d\r\n\r\n%s", head, len(body), body)
}

func requestOf(addr, tool string) []byte {
	switch tool {
	case "add":
		return message(addr, "tools/call", "add", `"name":"add","arguments":{"a":1,"b":2},`)
	case "echo":
		return message(addr, "tools/call", "echo", `"name":"echo","arguments":{"text":"hello, world"},`)
	case "large":
		return message(addr, "tools/call", "large", `"name":"large","arguments":{},`)
	case "list":
		return message(addr, "tools/list", "", "")
	}
	log.Fatalf("no request %q", tool)
	return nil
}

// call sends req n times over conns connections, one at a time on each, and checks that each gets
// 200 with content.
func call(addr string, req []byte, conns, n int) {
	callEach(addr, slices.Repeat([][]byte{req}, conns), n)
}

// callEach is call with a request and a connection for each of reqs.
func callEach(addr string, reqs [][]byte, n int) {
	var wg sync.WaitGroup
	for _, req := range reqs {
		wg.Go(func() {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				log.Fatal(err)
			}
			defer c.Close()
			buf := make([]byte, 512<<10)
			for range n / len(reqs) {
				if _, err := c.Write(req); err != nil {
					log.Fatal(err)
				}
				readResponse(c, buf)
			}
		})
	}
	wg.Wait()
}

var (
	endOfHead     = []byte("\r\n\r\n")
	lengthField   = []byte("\r\nContent-Length: ")
	statusOK      = []byte("HTTP/1.1 200 ")
	endOfFieldVal = []byte("\r\n")
)

// readResponse reads one response with a Content-Length and returns its content.
func readResponse(c net.Conn, buf []byte) []byte {
	have := 0
	for {
		n, err := c.Read(buf[have:])
		if err != nil {
			log.Fatalf("read: %v after %q", err, buf[:have])
		}
		have += n
		head, content, ok := bytes.Cut(buf[:have], endOfHead)
		if !ok {
			continue
		}
		if !bytes.HasPrefix(head, statusOK) {
			log.Fatalf("answer: %s", buf[:have])
		}
		_, rest, _ := bytes.Cut(buf[:len(head)+2], lengthField)
		value, _, _ := bytes.Cut(rest, endOfFieldVal)
		length, err := strconv.Atoi(string(value))
		if err != nil {
			log.Fatalf("answer: %s", buf[:have])
		}
		if len(content) >= length {
			return content[:length]
		}
	}
}

// answerLength returns the length of the content of the server's answer, which the floor uses as
// well.
func answerLength(addr, tool string) int {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write(requestOf(addr, tool)); err != nil {
		log.Fatal(err)
	}
	return len(readResponse(c, make([]byte, 64<<10)))
}

// measureCalls compares the processor time of calls.
func measureCalls(bin string, rounds, conns, n int) {
	m := start(bin, "-kind=mooring")
	defer m.stop()
	for _, tool := range []string{"add", "echo", "list"} {
		f := start(bin, "-kind=gnet", "-answer="+strconv.Itoa(answerLength(m.addr, tool)))
		reqM, reqF := requestOf(m.addr, tool), requestOf(f.addr, tool)
		call(m.addr, reqM, conns, n/4)
		call(f.addr, reqF, conns, n/4)
		var ours, floors []float64
		for range rounds {
			ours = append(ours, cost(m, reqM, conns, n))
			floors = append(floors, cost(f, reqF, conns, n))
		}
		f.stop()
		fmt.Printf("| server CPU-s per 100,000 `%s` | %s | %s | **%.2f ×** |\n", tool, spread(floors), spread(ours), pairwise(ours, floors))
	}
}

// cost returns processor seconds per 100,000 calls.
func cost(p *process, req []byte, conns, n int) float64 {
	return costEach(p, slices.Repeat([][]byte{req}, conns), n)
}

func costEach(p *process, reqs [][]byte, n int) float64 {
	before := p.cpu()
	callEach(p.addr, reqs, n)
	return (p.cpu() - before) / float64(n/len(reqs)*len(reqs)) * 100_000
}

func profileCalls(bin, tool string, conns, n int) {
	m := start(bin, "-kind=mooring")
	defer m.stop()
	req := requestOf(m.addr, tool)
	call(m.addr, req, conns, n/10)
	m.profile(tool + ".pprof")
	call(m.addr, req, conns, n)
	m.profile("")
}
