package server

import (
	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/server/internal/session"
)

// An identity is a caller who has proved who it is. It is immutable. A nil identity is that of
// anonymous callers.
type identity struct {
	info  *auth.TokenInfo
	name  string        // info.Principal()
	owner session.Owner // of name
}

// identityOf returns the identity of whom info is about, nil if info is nil.
func identityOf(info *auth.TokenInfo) *identity {
	if info == nil {
		return nil
	}
	name := info.Principal()
	return &identity{info: info, name: name, owner: session.OwnerOf(name)}
}

// owns returns whose the sessions are that who opens.
func (who *identity) owns() session.Owner {
	if who == nil {
		return session.Owner{}
	}
	return who.owner
}

// who returns the caller of the request in progress.
func (c *conn) who() *identity {
	if g := c.gate(); g != nil {
		return g.who
	}
	return c.x.who
}

// introduce adds to j what is known of its caller, and what the host wants to know of its request:
// see Server.describes.
func (c *conn) introduce(j *job) {
	if j.who = c.who(); j.who != nil {
		j.meta.TokenInfo, j.meta.Principal = j.who.info, j.who.name
	}
	if c.loop.places != nil {
		j.account, j.spent = c.account(), c.x.spent
	}
	if c.loop.srv.describes || c.has(flagGate) {
		c.describe(j)
	}
}
