package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
)

// eachBerth calls f with the berths of l.
func (l *loop) eachBerth(f func(*berth)) {
	all := append([]*service(nil), l.srv.endpoints.Load().services...)
	l.srv.guests.mu.Lock()
	for _, svc := range l.srv.guests.m {
		all = append(all, svc)
	}
	l.srv.guests.mu.Unlock()
	for _, svc := range all {
		if b := svc.berths[l.idx].Load(); b != nil {
			f(b)
		}
	}
}

// listed returns the number of connections in the lists of streams of all berths, and what is
// wrong with the lists.
func (l *loop) listed() (n int, err error) {
	l.eachBerth(func(b *berth) {
		k, fault := b.listed()
		n += k
		if fault != nil {
			err = fmt.Errorf("%s: %w", b.svc.path, fault)
		}
	})
	return n, err
}

func (b *berth) listed() (n int, err error) {
	l := b.loop
	prev := noSlot
	for at := b.streams.head; at != noSlot; at = l.slots[at].streamNode.next {
		c := l.slots[at]
		if c == nil || !c.has(flagStreaming) || c.berth != b || c.prev != prev {
			return n, fmt.Errorf("the list of streams is broken at slot %d", at)
		}
		if n++; n > len(l.slots) {
			return n, errors.New("the list of streams is circular")
		}
		prev = at
	}
	for uri, list := range b.streams.byURI {
		if len(list.members) == 0 || list.uri != uri {
			return n, fmt.Errorf("the list of %s is empty or misfiled", uri)
		}
		for pos, m := range list.members {
			if ref := l.slots[m.slot].uris.refs[m.ref]; ref.list != list || ref.pos != pos {
				return n, fmt.Errorf("%s: member %d does not point back", uri, pos)
			}
		}
	}
	return n, nil
}

// newNamed returns an mcp.Server whose tools "who" (on the loop) and "worker" return its name, and
// whose resources are those of a rig.
func newNamed(t testing.TB, name string, opts *mcp.ServerOptions) *mcp.Server {
	if opts == nil {
		opts = &mcp.ServerOptions{Capabilities: &mcp.ServerCapabilities{Logging: &mcp.LoggingCapabilities{}}}
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	ms := mcp.NewServer(&mcp.Implementation{Name: name, Version: "1"}, opts)
	t.Cleanup(ms.Close)
	mcp.AddInlineTool(ms, &mcp.Tool{Name: "who"}, func(*mcp.CallToolRequest, noIn) (map[string]string, error) {
		return map[string]string{"name": name}, nil
	})
	mcp.AddTool(ms, &mcp.Tool{Name: "worker"}, func(context.Context, *mcp.CallToolRequest, noIn) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: name}}}, nil, nil
	})
	for _, uri := range []string{"rig://a", "rig://b"} {
		ms.AddResource(&mcp.Resource{URI: uri, Name: uri}, noRead)
	}
	ms.AddPrompt(&mcp.Prompt{Name: "hail"}, nil)
	return ms
}

// at returns the request with another path than /mcp.
func at(path, request string) string {
	return strings.Replace(request, " /mcp ", " "+path+" ", 1)
}
