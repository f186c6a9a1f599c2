//go:build linux

package fleet

import (
	"net/netip"
	"strings"

	"github.com/mooring-mcp/mooring/bench/dialect"
)

// plain returns a target without asking the server.
func plain(url string, era dialect.Era) (*dialect.Target, error) {
	addr, err := netip.ParseAddrPort(strings.TrimPrefix(url, "http://"))
	if err != nil {
		return nil, err
	}
	t := &dialect.Target{URL: url + "/mcp", Addr: addr, Era: era}
	switch era {
	case dialect.Modern:
		t.Revision = dialect.ModernRevision
	case dialect.Legacy:
		t.Revision = dialect.LegacyRevision
	}
	return t, t.Prepare()
}
