package server

import (
	"strconv"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
)

// changeLog numbers the changes of the server, so that a client which comes back can be told what it missed. It keeps no events: a notice says only that something changed.
type changeLog struct {
	base  uint64 // before the first change
	seq   uint64
	lists [8]uint64         // by topic bit, of the newest change
	uris  map[string]uint64 // likewise by resource
	floor uint64            // of resources, everything up to here is forgotten
}

const maxLoggedURIs = 4096

// newChangeLog returns a log whose numbers are not those of another process, or of this one before a restart: its clients may bring theirs.
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

// foreign reports whether n is none of g's numbers: who brings it may have missed anything.
func (g *changeLog) foreign(n uint64) bool { return n < g.base || n > g.seq }

// since returns which lists changed after number n, or may have.
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

// updatedSince reports whether a resource changed after number n, or may have.
func (g *changeLog) updatedSince(uri string, n uint64) bool {
	return g.foreign(n) || g.floor > n || g.uris[uri] > n
}

// appendNoticeID appends the id of a notice on the stream of a session: stream 0, and the number of the change.
func appendNoticeID(dst []byte, seq uint64) []byte {
	return strconv.AppendUint(append(dst, "0-"...), seq, 36)
}
