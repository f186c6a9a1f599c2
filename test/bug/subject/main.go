// Command subject is a server to compare Mooring with, in a process of its own: subject
// floor|mcpgo|gosdk ADDRESS. The floor is a bare gnet server with fixed answers; the others serve
// one tool, echo, with sessions. It prints a line when it serves.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: subject floor|mcpgo|gosdk ADDRESS")
	}
	switch kind, addr := os.Args[1], os.Args[2]; kind {
	case "floor":
		log.Fatal(serveFloor(addr))
	case "mcpgo":
		log.Fatal(serveHTTP(addr, mcpGo()))
	case "gosdk":
		log.Fatal(serveHTTP(addr, goSDK()))
	default:
		log.Fatalf("no server %q", kind)
	}
}

func serveHTTP(addr string, h http.Handler) error {
	l, err := net.Listen("tcp4", addr)
	if err != nil {
		return err
	}
	fmt.Println("serving")
	mux := http.NewServeMux()
	mux.Handle("/mcp", h)
	return http.Serve(l, mux)
}
