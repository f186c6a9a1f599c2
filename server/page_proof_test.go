//go:build linux

package server_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
)

// TestLargeListsArriveWhole checks pipelined lists over sockets that take only part of a list at
// a time.
func TestLargeListsArriveWhole(t *testing.T) {
	p := serveProof(t, nil)
	for i := range 300 {
		mcp.AddInlineTool(p.mcp, &mcp.Tool{Name: fmt.Sprint("many", i), Description: strings.Repeat("d", 900)},
			func(*mcp.CallToolRequest, noArgs) (sum, error) { return sum{}, nil })
	}
	for _, slow := range []bool{false, true} {
		c := p.dial()
		const n = 30
		c.send(strings.Repeat(otherRequest("tools/list", "", ""), n))
		if slow {
			time.Sleep(300 * time.Millisecond)
		}
		want := ""
		for i := range n {
			// answer does not check the schema here, because that takes long
			resp, err := http.ReadResponse(c.br, nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if want == "" {
				want = string(body)
			}
			if err != nil || resp.StatusCode != 200 || string(body) != want || len(body) < 300_000 || !strings.Contains(want, `"many299"`) {
				t.Fatalf("list %d: status %d, %d bytes, %v", i, resp.StatusCode, len(body), err)
			}
		}
		c.add(1, 2)
		c.Close()
	}
	p.wantNothingLeft()
}
