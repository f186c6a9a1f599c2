package server

import (
	"strconv"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
)

// changeLog numbers the changes of the server, so that a client that reconnects can be notified of
// what it missed. It keeps no events, because a notice says only that something has changed.
type changeLog struct {
	base  uint64            // the number before the first change
	seq   uint64            // the number of the newest change
	lists [8]uint64         // the number of the newest change of each list, by topic bit
	uris  map[string]uint64 // the number of the newest change of each resource
	floor uint64            // changes of resources up to this number are forgotten
}

const maxLoggedURIs = 4096 // resources that a log remembers at most

// newChangeLog returns a log whose numbers differ from those of another process, and from those of
// this one before a restart: clients may present such numbers.
func newChangeLog(now time.Time) changeLog {
	n := uint64(now.UnixMicro())
	return changeLog{base: n, seq: n}
}

// add numbers a set of changes and returns the number.
func (g *changeLog) add(topics mcp.Topic, uris map[string]struct{}) uint64 {
	g.seq++
	for i := range g.lists {
		if topics&(1<<i) != 0 {
			g.lists[i] = g.seq
		}
	}
	switch n := len(uris); {
	case n > maxLoggedURIs:
		g.uris, g.floor = nil, g.seq
		return g.seq
	case n > 0 && (g.uris == nil || len(g.uris)+n > maxLoggedURIs):
		if g.uris != nil {
			g.floor = g.seq - 1
		}
		g.uris = make(map[string]uint64)
	}
	for uri := range uris {
		g.uris[uri] = g.seq
	}
	return g.seq
}

// foreign reports whether n is not one of g's numbers. A client that presents it may have missed
// anything.
func (g *changeLog) foreign(n uint64) bool { return n < g.base || n > g.seq }

// since returns the lists that have changed after number n, or may have.
func (g *changeLog) since(n uint64) (t mcp.Topic) {
	if g.foreign(n) {
		return ^t
	}
	for i, at := range g.lists {
		if at > n {
			t |= 1 << i
		}
	}
	return t
}

// updatedSince reports whether a resource has changed after number n, or may have.
func (g *changeLog) updatedSince(uri string, n uint64) bool {
	return g.foreign(n) || g.floor > n || g.uris[uri] > n
}

// appendNoticeID appends the event ID of a notice on the stream of a session: stream 0, and the
// number of the change.
func appendNoticeID(dst []byte, seq uint64) []byte {
	return strconv.AppendUint(append(dst, "0-"...), seq, 36)
}
