//go:build linux

package server_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
)

// bigListenRequest returns a listen request with content so long that a worker decodes it.
func bigListenRequest(id int) string {
	uris := make([]string, 900)
	for i := range uris {
		uris[i] = fmt.Sprintf("%q", fmt.Sprintf("proof://nobody/serves/this/resource/%d", i))
	}
	uris[0] = fmt.Sprintf("%q", proofResource)
	body := fmt.Sprintf(
		`{"jsonrpc":"2.0","id":%d,"method":"subscriptions/listen","params":{"notifications":{`+
			`"toolsListChanged":true,"resourceSubscriptions":[%s]},"_meta":{%s}}}`,
		id, strings.Join(uris, ","), proofMeta)
	return postHead("subscriptions/listen", "", len(body)) + body
}

// TestLongListenRequests checks that a listen request that a worker decodes returns its job
// exactly once. A job that is returned twice would be given to two calls.
func TestLongListenRequests(t *testing.T) {
	p := serveProof(t, nil)
	var streams []*proofStream
	for i := range 50 {
		c := p.dial()
		c.send(bigListenRequest(i + 1))
		s := c.stream("subscriptions/listen")
		s.want("acknowledged")
		streams = append(streams, s)
	}
	worker := p.dial() // stays open after a worker's call and must not hold anything
	worker.send(callRequest(1, "big", `{"Bytes":3,"Count":0,"PauseMs":0}`, ""))
	worker.answer("tools/call")
	await(t, "no call is in flight", func() bool { return p.Stats().CallsInFlight == 0 })
	if c := p.Census(); c.TwiceFree != 0 || c.Streams != 50 || c.Exchanges != 0 {
		t.Errorf("the loops hold %+v, want 50 streams, no exchange and no job twice", c)
	}
	worker.Close()
	p.mcp.ResourceUpdated(context.Background(), &mcp.ResourceUpdatedNotificationParams{URI: proofResource})
	for i, s := range streams {
		s.want(fmt.Sprintf(`"io.modelcontextprotocol/subscriptionId":%d`, i+1))
		s.Close()
	}
	p.wantNothingLeft()
}
