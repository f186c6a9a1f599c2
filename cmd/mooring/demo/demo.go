package demo

import (
	"context"
	"log/slog"

	"github.com/mooring-mcp/mooring/mcp"
)

// New returns a server with the built-in features. Goroutines that they start outside of calls
// end with ctx. The first key seals the state that clients carry, and all of them open it;
// without keys, a random key is used. The caller must close the server.
func New(ctx context.Context, version string, logger *slog.Logger, keys ...[]byte) *mcp.Server {
	c := &clock{ctx: ctx}
	var key []byte
	var old [][]byte
	if len(keys) > 0 {
		key, old = keys[0], keys[1:]
	}
	s := mcp.NewServer(&mcp.Implementation{
		Name: "mooring", Title: "Mooring", Version: version,
		Description: "The built-in features of Mooring, an MCP server for very many connections.",
	}, &mcp.ServerOptions{
		Instructions: "A demonstration: echo and add answer at once, countdown reports progress and can be cancelled, " +
			"ask asks the user through the client, toggle adds or removes the tool extra, and " + clockURI + " changes every second while a client is subscribed.",
		Logger:            logger,
		StateKey:          key,
		OldStateKeys:      old,
		CompletionHandler: complete,
		OnSubscribe:       c.subscribed,
		OnUnsubscribe:     c.unsubscribed,
	})
	c.server = s
	addTools(s)
	addToggle(s)
	addCountdown(s)
	addAsk(s)
	c.add()
	addHarbours(s)
	return s
}
