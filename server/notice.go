package server

import (
	"sync"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
)

// noticeBoard collects changes for all loops. What changes within delay of the first is reported at
// once, and once.
type noticeBoard struct {
	delay  time.Duration
	report func(*changes) // reports to the loops; called from any goroutine

	mu      sync.Mutex // guards log and pending
	log     changeLog
	pending changes // not yet reported
}

// add notes a change. It may be called from any goroutine.
func (b *noticeBoard) add(ch mcp.Change) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pending.empty() {
		time.AfterFunc(b.delay, b.flush)
	}
	b.pending.add(ch)
}

// flush reports the changes that were noted.
func (b *noticeBoard) flush() {
	b.mu.Lock()
	c := b.pending
	b.pending = changes{}
	c.seq = b.log.add(c.topics, c.uris)
	b.mu.Unlock()
	b.report(&c)
}

// changes is a set of things that changed.
type changes struct {
	topics mcp.Topic
	uris   map[string]struct{} // nil when empty
	seq    uint64              // number of the newest, in the server's log of changes
}

func (c *changes) add(ch mcp.Change) {
	if ch.Topic == mcp.TopicResource {
		if c.uris == nil {
			c.uris = make(map[string]struct{})
		}
		c.uris[ch.URI] = struct{}{}
		return
	}
	c.topics |= ch.Topic
}

func (c *changes) empty() bool { return c.topics == 0 && len(c.uris) == 0 }

func (c *changes) merge(o *changes) {
	c.topics |= o.topics
	c.seq = max(c.seq, o.seq)
	for uri := range o.uris {
		c.add(mcp.Change{Topic: mcp.TopicResource, URI: uri})
	}
}
