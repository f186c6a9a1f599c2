package server

import (
	"sync"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
)

// noticeBoard collects changes for all loops. It reports all changes that come within delay of the
// first one together, and each of them once.
type noticeBoard struct {
	delay  time.Duration
	report func(*changes) // reports changes to the loops; may be called from any goroutine

	mu      sync.Mutex // guards the rest
	log     changeLog
	pending changes     // changes that are not yet reported
	timer   *time.Timer // reports them; nil if there are none
}

// add records a change. It may be called from any goroutine.
func (b *noticeBoard) add(ch mcp.Change) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pending.empty() {
		b.timer = time.AfterFunc(b.delay, b.flush)
	}
	b.pending.add(ch)
}

// stop drops the pending changes. It may be called from any goroutine.
func (b *noticeBoard) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.take()
}

// take takes the pending changes, which the timer need not report any more. The caller holds b.mu.
func (b *noticeBoard) take() changes {
	if b.timer != nil {
		b.timer.Stop()
	}
	c := b.pending
	b.pending, b.timer = changes{}, nil
	return c
}

// flush reports the pending changes.
func (b *noticeBoard) flush() {
	b.mu.Lock()
	c := b.take()
	c.seq = b.log.add(c.topics, c.uris)
	b.mu.Unlock()
	b.report(&c)
}

// changes is a set of lists and resources that have changed.
type changes struct {
	topics mcp.Topic
	uris   map[string]struct{} // nil when empty
	seq    uint64              // the number of the newest change in the server's change log
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
