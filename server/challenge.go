package server

import (
	"github.com/mooring-mcp/mooring/internal/bearer"
	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

// A denial is why a message is refused that its caller may not send.
type denial struct {
	status    int
	err       *jsonrpc.Error
	challenge []byte // the value of WWW-Authenticate
}

var (
	errLacksScope    = &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: "the token lacks a scope"}
	errTokenRequired = &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: "a bearer token is required"}
	errTokenRevoked  = &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: "the token is not valid any more"}
)

// deny returns why the prepared call of j is refused for its scopes, nil if it is not. earlier says
// that it is of a revision before 2026-07-28. It may run on the loop or on the worker of j.
func (s *Server) deny(j *job, call *mcp.Call, earlier bool) *denial {
	r := s.scopes
	if r.allows(call, j.who) && r.allowsUpstream(call, j.who) {
		return nil
	}
	s.refused(refusedScope)
	ch := bearer.Challenge{Scopes: bounded(r.needs(call), maxNeeded), Metadata: s.metadataOf(j.svc.path)}
	if j.who == nil {
		// RFC 6750 section 3.1: a request without a token is told no error.
		return &denial{401, errTokenRequired, bearer.AppendChallenge(nil, &ch)}
	}
	if earlier {
		ch.Scopes = bearer.WithGranted(ch.Scopes, j.who.info.Scopes)
	}
	ch.Error, ch.Description = bearer.InsufficientScope, errLacksScope.Message
	return &denial{403, errLacksScope, bearer.AppendChallenge(nil, &ch)}
}

// metadataOf returns the absolute URL of the protected resource metadata of the endpoint at path,
// for challenges.
func (s *Server) metadataOf(path string) bearer.Metadata {
	if m := s.auth.metadataOf(path); m.Base != "" || s.scopes == nil {
		return m
	}
	return bearer.Metadata{Base: s.scopes.metadata}
}

// refuseDenied answers a message that was refused for its caller.
func (c *conn) refuseDenied(now tick, j *job, d *denial) {
	c.loop.count(j.call.Method(), outcomeRefused)
	c.x.challenge = append(c.x.challenge[:0], d.challenge...)
	c.respondError(d.status, j.msg.ID, d.err)
	c.loop.putJob(j)
	c.finish(now)
}

// maxNeeded is the length in bytes up to which a challenge names the scopes that a request needs:
// clients limit the length of a head.
const maxNeeded = 4 << 10

// bounded returns the scopes at the beginning of list that together have at most max bytes, but at
// least one.
func bounded(list []string, max int) []string {
	for i, s := range list {
		if max -= len(s) + 1; max < 0 && i > 0 {
			return list[:i]
		}
	}
	return list
}
