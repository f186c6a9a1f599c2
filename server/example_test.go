package server_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

type AddIn struct {
	A int `json:"a"`
	B int `json:"b"`
}

type AddOut struct {
	Sum int `json:"sum"`
}

func add(_ *mcp.CallToolRequest, in AddIn) (AddOut, error) { return AddOut{in.A + in.B}, nil }

// The program in README.md is a complete server.
func Example() {
	s := mcp.NewServer(&mcp.Implementation{Name: "sums", Version: "v1.0.0"}, nil)
	mcp.AddInlineTool(s, &mcp.Tool{Name: "add", Description: "Sum of two integers."}, add)
	log.Fatal(server.ListenAndServe("127.0.0.1:8080", s))
}

// A server runs until Shutdown, which lets calls and streams finish.
func ExampleServer_Shutdown() {
	features := mcp.NewServer(&mcp.Implementation{Name: "sums", Version: "v1.0.0"}, nil)
	mcp.AddInlineTool(features, &mcp.Tool{Name: "add"}, add)
	s := server.New(features, &server.Options{Loops: 1})
	l, err := s.Listen("127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()

	const message = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":40,"b":2},
		"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`
	req, err := http.NewRequest("POST", "http://"+l.Addr().String()+"/mcp", strings.NewReader(message))
	if err != nil {
		log.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	req.Header.Set("MCP-Protocol-Version", "2026-07-28")
	req.Header.Set("Mcp-Method", "tools/call")
	req.Header.Set("Mcp-Name", "add")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		log.Fatal(err)
	}
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		log.Fatal(err)
	}
	_ = res.Body.Close()
	fmt.Println(res.Status, strings.Contains(string(answer), `"structuredContent":{"sum":42}`))

	fmt.Println(s.Shutdown(context.Background()))
	fmt.Println(<-served)
	// Output:
	// 200 OK true
	// <nil>
	// server: closed
}

// One Server can serve several mcp.Servers, each at a path of its own. Their sessions and streams
// have nothing to do with each other.
func ExampleServer_Handle() {
	newServer := func(name string) *mcp.Server {
		m := mcp.NewServer(&mcp.Implementation{Name: name, Version: "v1.0.0"}, nil)
		mcp.AddInlineTool(m, &mcp.Tool{Name: "add"}, add)
		return m
	}
	s := server.New(newServer("sums"), nil) // at Options.Path, "/mcp"
	s.Handle("/harbour/mcp", newServer("harbour"))
	go func() { fmt.Println(s.ListenAndServe("127.0.0.1:0")) }()

	for !s.Ready() {
		time.Sleep(time.Millisecond)
	}
	fmt.Println(s.Shutdown(context.Background()))
	// Unordered output:
	// server: closed
	// <nil>
}

// Stats are the counters that package server/admin exports.
func ExampleServer_Stats() {
	s := server.New(mcp.NewServer(&mcp.Implementation{Name: "sums", Version: "v1.0.0"}, nil), nil)
	stats := s.Stats()
	fmt.Println(stats.Connections, stats.Streams, stats.CallsInFlight, s.Ready())
	// Output:
	// 0 0 0 false
}
