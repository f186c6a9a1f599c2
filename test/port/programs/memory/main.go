// Command memory keeps a small graph of knowledge, over stdio, or over HTTP if ADDR is set.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type entity struct {
	Name         string   `json:"name" jsonschema:"the name of the entity"`
	Kind         string   `json:"kind"`
	Observations []string `json:"observations"`
}

type relation struct {
	From string `json:"from"`
	To   string `json:"to"`
	Type string `json:"type" jsonschema:"in active voice"`
}

type graph struct {
	Entities  []entity   `json:"entities"`
	Relations []relation `json:"relations"`
}

type store struct {
	mu sync.Mutex
	g  graph
}

type createArgs struct {
	Entities []entity `json:"entities" jsonschema:"the entities to create"`
}

func (s *store) create(_ context.Context, _ *mcp.CallToolRequest, in createArgs) (*mcp.CallToolResult, createArgs, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var added createArgs
	for _, e := range in.Entities {
		if !slices.ContainsFunc(s.g.Entities, func(o entity) bool { return o.Name == e.Name }) {
			s.g.Entities = append(s.g.Entities, e)
			added.Entities = append(added.Entities, e)
		}
	}
	var res mcp.CallToolResult
	res.Content = []mcp.Content{&mcp.TextContent{Text: fmt.Sprintf("%d created", len(added.Entities))}}
	return &res, added, nil
}

func (s *store) relate(_ context.Context, _ *mcp.CallToolRequest, in relation) (*mcp.CallToolResult, any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range []string{in.From, in.To} {
		if !slices.ContainsFunc(s.g.Entities, func(o entity) bool { return o.Name == name }) {
			return nil, nil, fmt.Errorf("entity %q not found", name)
		}
	}
	s.g.Relations = append(s.g.Relations, in)
	return nil, nil, nil
}

type searchArgs struct {
	Query string `json:"query,omitempty"`
}

func (s *store) search(_ context.Context, _ *mcp.CallToolRequest, in searchArgs) (*mcp.CallToolResult, graph, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out graph
	for _, e := range s.g.Entities {
		if strings.Contains(e.Name, in.Query) {
			out.Entities = append(out.Entities, e)
		}
	}
	for _, r := range s.g.Relations {
		if strings.Contains(r.From+r.To, in.Query) {
			out.Relations = append(out.Relations, r)
		}
	}
	return nil, out, nil
}

func main() {
	s := new(store)
	server := mcp.NewServer(&mcp.Implementation{Name: "memory"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "create_entities", Description: "Create entities."}, s.create)
	mcp.AddTool(server, &mcp.Tool{Name: "create_relation", Description: "Relate two entities."}, s.relate)
	mcp.AddTool(server, &mcp.Tool{Name: "search", Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true}}, s.search)
	if addr := os.Getenv("ADDR"); addr != "" {
		handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil)
		log.Fatal(http.ListenAndServe(addr, handler))
	}
	t := &mcp.LoggingTransport{Transport: &mcp.StdioTransport{}, Writer: os.Stderr}
	if err := server.Run(context.Background(), t); err != nil {
		log.Print(err)
	}
}
