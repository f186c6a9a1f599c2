// Command notices is a server whose resources change. Clients that subscribe to a resource, or
// to the list of resources, are notified of changes.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"log"
	"os/signal"
	"sync"
	"syscall"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

// A harbour has a resource for each berth at which a ship lies.
type harbour struct {
	features *mcp.Server

	mu    sync.Mutex // guards ships, and keeps the list of resources in step with it
	ships map[string]string
}

func newHarbour() *harbour {
	h := &harbour{
		features: mcp.NewServer(&mcp.Implementation{Name: "harbour", Version: "v1.0.0"}, nil),
		ships:    map[string]string{},
	}
	mcp.AddTool(h.features, &mcp.Tool{
		Name: "moor", Description: "Moors a ship at a berth.", InputSchema: moorSchema,
	}, h.moor)
	mcp.AddTool(h.features, &mcp.Tool{Name: "leave", Description: "Frees a berth."}, h.leave)
	h.dock("N1", "Fram")
	return h
}

// moorSchema is stricter than what would be inferred from moorIn: it limits how many resources
// clients can make.
var moorSchema = json.RawMessage(`{
	"type": "object",
	"properties": {
		"berth": {"type": "string", "enum": ["N1", "N2", "S1", "S2"]},
		"ship":  {"type": "string", "maxLength": 80}
	},
	"required": ["berth", "ship"]
}`)

type moorIn struct {
	Berth string `json:"berth"`
	Ship  string `json:"ship"`
}

type moorOut struct {
	URI string `json:"uri"`
}

func (h *harbour) moor(_ context.Context, _ *mcp.CallToolRequest, in moorIn) (*mcp.CallToolResult, moorOut, error) {
	h.dock(in.Berth, in.Ship)
	return nil, moorOut{uriOf(in.Berth)}, nil
}

func (h *harbour) dock(berth, ship string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, known := h.ships[berth]
	h.ships[berth] = ship
	if !known {
		// Clients that watch the list are notified that it changed.
		h.features.AddResource(&mcp.Resource{
			URI: uriOf(berth), Name: berth, MIMEType: "text/plain", Description: "The ship at berth " + berth + ".",
		}, h.read(berth))
		return
	}
	// Clients that subscribed to this resource are notified that it changed. Several changes in
	// quick succession become one notification; without subscribers there is none.
	_ = h.features.ResourceUpdated(context.Background(), &mcp.ResourceUpdatedNotificationParams{URI: uriOf(berth)})
}

type leaveIn struct {
	Berth string `json:"berth"`
}

func (h *harbour) leave(_ context.Context, _ *mcp.CallToolRequest, in leaveIn) (*mcp.CallToolResult, any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.ships[in.Berth]; !ok {
		return nil, nil, errors.New("no ship lies there") // the model sees this error
	}
	delete(h.ships, in.Berth)
	h.features.RemoveResources(uriOf(in.Berth))
	return &mcp.CallToolResult{}, nil, nil
}

// read returns the handler of a berth's resource.
func (h *harbour) read(berth string) mcp.ResourceHandler {
	return func(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		h.mu.Lock()
		ship, ok := h.ships[berth]
		h.mu.Unlock()
		if !ok {
			return nil, mcp.ResourceNotFoundError(req.Params.URI)
		}
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{Text: ship}}}, nil
	}
}

func uriOf(berth string) string { return "harbour://berths/" + berth }

func main() {
	addr := flag.String("listen", "127.0.0.1:8080", "`address` to serve on")
	flag.Parse()

	s := server.New(newHarbour().features, nil)
	l, err := s.Listen(*addr)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("serving MCP on http://%s/mcp", l.Addr())

	// The first signal begins the drain: streams of notifications end with their result.
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
