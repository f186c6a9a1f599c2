package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
)

// countdownSchema limits how long one call can run.
const countdownSchema = `{"type":"object","properties":{"seconds":{"type":"integer","description":"how long to count down, in seconds","minimum":0,"maximum":300,"default":3}}}`

type countdownIn struct {
	Seconds int `json:"seconds"`
}

func addCountdown(s *mcp.Server) {
	mcp.AddTool(s, &mcp.Tool{
		Name: "countdown", Title: "Countdown", InputSchema: json.RawMessage(countdownSchema),
		Description: "Counts down and sends a progress notification every second. Disconnect to cancel it.",
		Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true, OpenWorldHint: new(bool)},
	}, countdown)
}

func countdown(ctx context.Context, req *mcp.CallToolRequest, in countdownIn) (*mcp.CallToolResult, any, error) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for done := range in.Seconds {
		left := in.Seconds - done
		// A client that accepts no notifications still gets its result.
		_ = req.Progress(float64(done), float64(in.Seconds), fmt.Sprintf("%d s left", left))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("cancelled with %d s left: %w", left, context.Cause(ctx))
		}
	}
	_ = req.Progress(float64(in.Seconds), float64(in.Seconds), "done")
	return textResult(fmt.Sprintf("counted %d s", in.Seconds)), nil, nil
}
