// Command streamable mounts a handler below a prefix, with an event store and JSON responses.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type args struct {
	Name string `json:"name"`
}

func greet(_ context.Context, req *mcp.CallToolRequest, in args) (*mcp.CallToolResult, any, error) {
	if in.Name == "" {
		return nil, nil, errors.New("no name")
	}
	text := fmt.Sprintf("Hi %s, in a session: %v", in.Name, req.Session.ID() != "")
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
}

func main() {
	server := mcp.NewServer(&mcp.Implementation{Name: "mounted", Version: "v1.0.0"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "greet"}, greet)
	get := func(*http.Request) *mcp.Server { return server }
	events := mcp.NewStreamableHTTPHandler(get, &mcp.StreamableHTTPOptions{EventStore: mcp.NewMemoryEventStore(nil)})
	json := mcp.NewStreamableHTTPHandler(get, &mcp.StreamableHTTPOptions{JSONResponse: true, DisableLocalhostProtection: true})
	none := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return nil }, nil)
	mux := http.NewServeMux()
	mux.Handle("/api/events", http.StripPrefix("/api", events))
	mux.Handle("/api/json", json)
	mux.Handle("/api/none", http.NewCrossOriginProtection().Handler(none))
	log.Fatal(http.ListenAndServe(os.Getenv("ADDR"), mux))
}
