package gateway

import (
	"context"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/child"
	"github.com/mooring-mcp/mooring/gateway/internal/hop"
	"github.com/mooring-mcp/mooring/gateway/internal/names"
	"github.com/mooring-mcp/mooring/gateway/internal/upstream"
)

// A Status is what an operator wants to know about one upstream. Text in it that comes from the
// upstream is LastError and Stderr alone.
type Status struct {
	Name, Path, Transport string

	upstream.State       // State, Era, Version, LastError, counts
	Tools, Prompts       int
	Resources, Templates int
	LongTools            []string     // names that are too long for some clients
	Collisions           []string     // sentences
	Children             *child.Stats // nil unless it is a command
	HTTP                 *hop.Stats   // nil if it is
	Stderr               string       // its end, of a command
	Listed               time.Time
	Replacing            bool // a new configuration is being connected to
}

// Status returns a snapshot of each upstream, in the order of the configuration.
func (g *Gateway) Status() []Status {
	g.applying.Lock()
	defer g.applying.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]Status, len(g.slots))
	for i, s := range g.slots {
		out[i] = s.now.status()
		out[i].Replacing = s.next != nil
	}
	return out
}

func (m *member) status() Status {
	s := Status{Name: m.cfg.Name, Path: m.cfg.Path, Transport: string(m.cfg.Transport), State: m.up.State(), Collisions: m.collisions}
	s.Listed = s.State.ListedAt
	if c := m.lists; c != nil {
		s.Tools, s.Prompts, s.Resources, s.Templates = len(m.tools), len(m.prompts), len(c.Resources), len(c.Templates)
	}
	for _, t := range m.tools {
		if names.Long(m.g.opts.Implementation.Name, t.Name) {
			s.LongTools = append(s.LongTools, t.Name)
		}
	}
	if m.child != nil {
		st := m.child.Stats()
		s.Children, s.Stderr = &st, m.child.Stderr()
	}
	if m.hop != nil {
		st := m.hop.Stats()
		s.HTTP = &st
	}
	return s
}

// Wait waits until each upstream that there is now has been listed or has failed, or ctx is done.
func (g *Gateway) Wait(ctx context.Context) error {
	g.mu.Lock()
	var members []*member
	for _, s := range g.slots {
		members = append(members, s.newest())
	}
	g.mu.Unlock()
	for _, m := range members {
		if err := m.await(ctx); err != nil {
			return err
		}
	}
	return nil
}

// await waits until m has been listed or has failed.
func (m *member) await(ctx context.Context) error {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-m.listed:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
			if s := m.up.State(); s.State == "down" || s.State == "closed" {
				return nil
			}
		}
	}
}
