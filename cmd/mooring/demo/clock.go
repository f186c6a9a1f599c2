package demo

import (
	"context"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
)

const clockURI = "mooring://clock"

// A clock is a resource that holds the current time. It ticks only while there is a subscriber. Its
// hooks run one at a time, as [mcp.ServerOptions] promises, so its fields need no lock.
type clock struct {
	server *mcp.Server // set before the first hook
	ctx    context.Context
	stop   context.CancelFunc // ends the ticking
}

func (c *clock) add() {
	c.server.AddResource(&mcp.Resource{
		URI: clockURI, Name: "clock", Title: "Clock", MIMEType: "text/plain",
		Description: "The time in UTC. It changes every second while a client is subscribed.",
	}, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		now := time.Now().UTC().Format(time.RFC3339)
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: clockURI, MIMEType: "text/plain", Text: now}}}, nil
	})
}

func (c *clock) subscribed(uri string) {
	if uri != clockURI || c.stop != nil {
		return
	}
	ctx, stop := context.WithCancel(c.ctx)
	c.stop = stop
	go c.tick(ctx)
}

func (c *clock) unsubscribed(uri string) {
	if uri != clockURI || c.stop == nil {
		return
	}
	c.stop()
	c.stop = nil
}

// tick reports a change every second until ctx ends.
func (c *clock) tick(ctx context.Context) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			_ = c.server.ResourceUpdated(context.Background(), &mcp.ResourceUpdatedNotificationParams{URI: clockURI})
		case <-ctx.Done():
			return
		}
	}
}
