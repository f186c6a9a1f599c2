//go:build linux

package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

// TestManyThatAskAndNeverRead checks that the bytes that wait for clients are limited, however
// many clients request more than they read, and that clients that read are still served.
func TestManyThatAskAndNeverRead(t *testing.T) {
	const n, limit = 300, 8 << 20
	p := serveProof(t, &server.Options{UnsentTotal: limit})
	for i := range 40 { // makes the list long
		mcp.AddInlineTool(p.mcp, &mcp.Tool{Name: fmt.Sprint("extra", i), Description: strings.Repeat("x", 1000)},
			func(*mcp.CallToolRequest, noArgs) (sum, error) { return sum{}, nil })
	}
	c := p.dialBare(n)
	one := []byte(otherRequest("tools/list", "", ""))
	asked := []byte(strings.Repeat(string(one), 60_000/len(one)))
	for _, fd := range c {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4096)
		if _, err := unix.Write(fd, asked); err != nil {
			t.Fatal(err)
		}
	}
	reader := p.dial()
	most := int64(0)
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
		reader.add(1, 2)
		most = max(most, p.Stats().UnsentBytes)
		time.Sleep(time.Millisecond)
	}
	if most > limit*5/4+1<<20 {
		t.Errorf("%d bytes waited, want about %d at most", most, limit)
	}
	st := p.Stats()
	t.Logf("%d bytes waited at most, %d clients were reset", most, st.Closes["unsent_total"])
	if st.Closes["unsent_total"] == 0 || st.Closes["unsent_total"] == n {
		t.Errorf("%d of %d clients were reset, want some but not all", st.Closes["unsent_total"], n)
	}
	reader.Close()
	c.close(p)
	await(t, "nothing waits", func() bool { return p.Stats().UnsentBytes == 0 })
	p.wantNothingLeft()
}
