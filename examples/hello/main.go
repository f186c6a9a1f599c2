// Command hello is a server with one tool.
package main

import (
	"flag"
	"log"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

// The schemas of the tool are inferred from its types: name is a required string.
type greetIn struct {
	Name string `json:"name" jsonschema:"whom to greet"`
}

type greetOut struct {
	Greeting string `json:"greeting"`
}

// greet runs on an event loop, as an inline tool: it only computes and never waits.
func greet(_ *mcp.CallToolRequest, in greetIn) (greetOut, error) {
	return greetOut{Greeting: "Hello, " + in.Name + "!"}, nil
}

func main() {
	addr := flag.String("listen", "127.0.0.1:8080", "`address` to serve on")
	flag.Parse()

	features := mcp.NewServer(&mcp.Implementation{Name: "hello", Version: "v1.0.0"}, nil)
	mcp.AddInlineTool(features, &mcp.Tool{Name: "greet", Description: "Greets someone."}, greet)

	s := server.New(features, nil)
	l, err := s.Listen(*addr)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("serving MCP on http://%s/mcp", l.Addr())
	log.Fatal(s.Serve(l))
}
