//go:build linux

package server_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

// spammer adds a tool that sends notifications as fast as it can for a second.
func (p *proofServer) spammer() {
	mcp.AddTool(p.mcp, &mcp.Tool{Name: "spam"},
		func(ctx context.Context, req *mcp.CallToolRequest, _ noArgs) (*mcp.CallToolResult, any, error) {
			until := time.Now().Add(time.Second)
			for i := 1.0; time.Now().Before(until) && ctx.Err() == nil; i++ {
				_ = req.Progress(i, 0, "still at it")
			}
			return nil, nil, ctx.Err()
		})
}

// spam calls the tool and reads the answer as fast as it arrives. It returns the end of the
// answer.
func (p *proofServer) spam() (body string, err error) {
	const call = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"spam","arguments":{},` +
		`"_meta":{"progressToken":1,` +
		`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`
	req, err := http.NewRequest("POST", "http://"+p.addr+"/mcp", strings.NewReader(call))
	if err != nil {
		return "", err
	}
	for name, value := range map[string]string{
		"Content-Type":         "application/json",
		"Accept":               "application/json, text/event-stream",
		"MCP-Protocol-Version": revision,
		"Mcp-Method":           "tools/call",
		"Mcp-Name":             "spam",
	} {
		req.Header.Set(name, value)
	}
	tr := &http.Transport{DisableKeepAlives: true}
	res, err := tr.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return string(b[max(0, len(b)-1000):]), err
}

// TestSteadyReaderIsKept checks that a client that keeps reading is not disconnected because a
// handler sends faster than any client can read.
func TestSteadyReaderIsKept(t *testing.T) {
	p := serveProof(t, &server.Options{Loops: 1})
	p.spammer()
	broken := 0
	for range 4 {
		end, err := p.spam()
		if err != nil || !strings.Contains(end, `"result"`) {
			t.Logf("the answer ends with %.200q, %v; closed: %v", end, err, p.Stats().Closes)
			broken++
		}
	}
	// When handlers take all processors, a client may be unable to read for a second, and then
	// looks as if it had stopped.
	if broken > 2 {
		t.Errorf("%d of 4 answers were cut off, want at most 2", broken)
	}
}

// TestNotifyingCallsLeaveOthersTheirTurn checks that eight handlers that send notifications
// without a pause do not keep the loop from its other sockets.
func TestNotifyingCallsLeaveOthersTheirTurn(t *testing.T) {
	p := serveProof(t, &server.Options{Loops: 1})
	p.spammer()
	ended := make(chan error, 8)
	for range cap(ended) {
		go func() {
			_, err := p.spam()
			ended <- err
		}()
	}
	c := p.dial()
	var took []time.Duration
	for left := cap(ended); left > 0; {
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
			left--
		default:
			start := time.Now()
			c.health(200)
			took = append(took, time.Since(start))
		}
	}
	slices.Sort(took)
	median := took[len(took)/2]
	t.Logf("%d health checks, median %v, worst %v", len(took), median, took[len(took)-1])
	if median > 100*time.Millisecond {
		t.Errorf("median of health checks %v, want well below 100ms", median)
	}
}
