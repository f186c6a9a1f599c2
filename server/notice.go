package server

import (
	"time"

	"github.com/mooring-mcp/mooring/mcp"
)

// changed notes a change for all loops. What changes within Options.NoticeDelay is told at once, once. It may be called from any goroutine.
func (s *Server) changed(ch mcp.Change) {
	if !s.up.Load() {
		return
	}
	s.noticeMu.Lock()
	defer s.noticeMu.Unlock()
	if s.notices.empty() {
		time.AfterFunc(s.opts.NoticeDelay, s.tellLoops)
	}
	s.notices.add(ch)
}

// tellLoops posts the changes that were noted.
func (s *Server) tellLoops() {
	s.noticeMu.Lock()
	c := s.notices
	s.notices = changes{}
	c.seq = s.log.add(&c)
	s.noticeMu.Unlock()
	for _, l := range s.loops {
		l.postChanges(&c)
	}
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
