// Command ask is a server with a tool that asks the user. The handler does not wait for the
// answer: it returns its question, and runs again when the answer is there. It is the same on
// every revision of the protocol.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os/signal"
	"syscall"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

type bookIn struct {
	Ship string `json:"ship" jsonschema:"name of the ship"`
}

// berthForm is what the client shows to the user. A form has only flat fields.
const berthForm = `{
	"type": "object",
	"properties": {
		"quay":   {"type": "string", "title": "Quay", "enum": ["north", "south"]},
		"nights": {"type": "integer", "title": "Nights", "minimum": 1, "maximum": 30}
	},
	"required": ["quay", "nights"]
}`

// book runs twice: the first time it returns a question, the second time it finds the answer.
func book(_ context.Context, req *mcp.CallToolRequest, in bookIn) (*mcp.CallToolResult, any, error) {
	if req.ClientCapabilities().Elicitation == nil {
		return nil, nil, errors.New("this client cannot ask its user")
	}
	answer, ok := req.Params.InputResponses["berth"].(*mcp.ElicitResult)
	if !ok {
		question := &mcp.ElicitParams{
			Message:         "Where does the " + in.Ship + " moor, and for how long?",
			RequestedSchema: json.RawMessage(berthForm),
		}
		return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"berth": question}}, nil, nil
	}
	if answer.Action != mcp.ElicitAccept { // the user declined, or closed the form
		return text("Nothing is booked."), nil, nil
	}
	// The server has checked the answer against the form.
	return text(fmt.Sprintf("The %s moors at the %v quay for %v nights.",
		in.Ship, answer.Content["quay"], answer.Content["nights"])), nil, nil
}

func text(s string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: s}}}
}

func main() {
	addr := flag.String("listen", "127.0.0.1:8080", "`address` to serve on")
	flag.Parse()

	features := mcp.NewServer(&mcp.Implementation{Name: "ask", Version: "v1.0.0"}, nil)
	mcp.AddTool(features, &mcp.Tool{Name: "book", Description: "Books a berth for a ship."}, book)

	s := server.New(features, nil)
	l, err := s.Listen(*addr)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("serving MCP on http://%s/mcp", l.Addr())

	// The first signal begins the drain: calls in flight get their answers.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ended := make(chan error, 1)
	context.AfterFunc(ctx, func() {
		stop() // a second signal ends the process at once
		ended <- s.Shutdown(context.Background())
	})
	if err := s.Serve(l); !errors.Is(err, server.ErrServerClosed) {
		log.Fatal(err)
	}
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
}
