package server

import (
	"slices"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"github.com/mooring-mcp/mooring/server/internal/quota"
	"github.com/mooring-mcp/mooring/server/internal/session"
)

// This file counts requests and calls for their principals and addresses. Its methods run on the
// loop, unless they say otherwise. A request that names its method in the head is counted there,
// before its content is read; others when they are decoded. A request for the address is counted
// before it is found out who sends it.

// spent says which budget a request has taken from: 0 for none, else the budget + 1.
type spent uint8

func spentOf(b quota.Budget) spent { return spent(b) + 1 }

// addressOf returns the key of the address that the request in loop.req comes from.
func (c *conn) addressOf() uint64 {
	l := c.loop
	if len(l.srv.opts.TrustedProxies) > 0 {
		return l.srv.quotas.addressKey(c.origin().Client.Addr())
	}
	return l.places.address(c.slot)
}

// account returns whom the request in progress counts for.
func (c *conn) account() account {
	return account{c.loop.srv.quotas.keyOf(c.who()), c.x.addr}
}

// passesAddress reports whether the address of the request in loop.req may send it. If not, the
// verdict is to refuse it.
func (c *conn) passesAddress() bool {
	x := c.x
	x.addr = c.addressOf()
	var e excess
	if g := c.gate(); g != nil {
		if e = g.excess; !e.exceeds() {
			e = c.countGate(g)
		}
	}
	if !e.exceeds() {
		e = c.spendHead(account{byAddress: x.addr})
	}
	return c.passes(e)
}

// passesPrincipal reports whether who may send the request in loop.req. If not, the verdict is to
// refuse it.
func (c *conn) passesPrincipal(who *identity) bool {
	e := c.belong(who)
	if !e.exceeds() {
		e = c.spendHead(account{byPrincipal: c.loop.srv.quotas.keyOf(who)})
	}
	return c.passes(e)
}

func (c *conn) passes(e excess) bool {
	if !e.exceeds() {
		return true
	}
	at := c.x.verdict.Endpoint
	c.x.verdict = endpoint.Refuse(429, e.error().Message)
	c.x.verdict.Endpoint = at
	c.x.retry = e.retry
	return false
}

// spendHead takes the request in loop.req from a budget of a, if the head says which. If it does
// not, no budget may be left.
func (c *conn) spendHead(a account) excess {
	l, x := c.loop, c.x
	q := l.srv.quotas
	b, known := quota.ListRate, true
	switch x.verdict.Route {
	case endpoint.RouteStream, endpoint.RouteSSE:
	case endpoint.RouteMCP:
		if l.req.MCPMethod == nil {
			return q.empty(a)
		}
		if b, known = budgetOfName(l.req.MCPMethod); !known {
			return excess{} // dispatch looks whether it is true
		}
	case endpoint.RouteMessage:
		return q.empty(a)
	default:
		return excess{}
	}
	x.spent = spentOf(b)
	return q.spend(a, b)
}

// budgetOfName is budgetOf for the name of a method.
func budgetOfName(name []byte) (b quota.Budget, counts bool) {
	switch string(name) {
	case "tools/list", "prompts/list", "resources/list", "resources/templates/list", "initialize", "server/discover", "subscriptions/listen":
		return quota.ListRate, true
	case "notifications/cancelled":
		return 0, false
	}
	return quota.CallRate, true
}

// spendRefused takes a request that is refused for its credentials from the budgets of its address.
func (c *conn) spendRefused() {
	q, a := c.loop.srv.quotas, account{byAddress: c.x.addr}
	for b := range quota.NumBudgets {
		if c.x.spent != spentOf(b) {
			q.spend(a, b)
		}
	}
}

// overspends reports whether a message takes more from a budget than there is, after it has been
// prepared. It may be called from any goroutine.
func (j *job) overspends(call *mcp.Call) excess {
	q := j.loop.srv.quotas
	if q == nil || call.Kind() == mcp.CallAnswer {
		return excess{}
	}
	b, counts := budgetOf(call.Method())
	if !counts || j.spent == spentOf(b) {
		return excess{}
	}
	return q.spend(j.account, b)
}

// refuseExcess answers a message that is more than its client may have.
func (c *conn) refuseExcess(now tick, j *job, e excess) {
	l := c.loop
	l.count(j.call.Method(), outcomeOverload)
	c.x.retry = e.retry
	c.respondError(429, j.msg.ID, e.error())
	l.putJob(j)
	c.finish(now)
}

// streamAccount returns whom a stream of the request in progress counts for.
func (c *conn) streamAccount() (a account) {
	if c.loop.places != nil {
		a = c.account()
	}
	return a
}

// takeCall counts a call of j in flight for its client. uncount takes it back.
func (j *job) takeCall() excess {
	q := j.loop.srv.quotas
	if q == nil {
		return excess{}
	}
	e := q.take(j.account, quota.Calls)
	j.counted = !e.exceeds()
	return e
}

// uncount ends the call of j in the counts of calls in flight. It may be called from any goroutine
// that has the job.
func (j *job) uncount() {
	s := j.loop.srv
	if j.counted {
		j.counted = false
		s.quotas.release(j.account, quota.Calls)
	}
	s.calls.Add(-1)
}

// isQuotaError reports whether e is the error of an excess.
func isQuotaError(e *jsonrpc.Error) bool {
	return e != nil && slices.Contains(quotaErrors[refusedQuota:], e)
}

// Error implements error.
func (e excess) Error() string { return "server: " + e.error().Message }

// chargeSessions returns how the table of sessions counts sessions for their clients; nil if it
// need not.
func (q *quotas) chargeSessions() (charge func(session.Account) error, discharge func(session.Account)) {
	counts := false
	if q != nil {
		for _, t := range q.tables {
			counts = counts || t != nil && t.Counts(quota.Sessions)
		}
	}
	if !counts {
		return nil, nil
	}
	charge = func(a session.Account) error {
		if e := q.take(account(a), quota.Sessions); e.exceeds() {
			return e
		}
		return nil
	}
	return charge, func(a session.Account) { q.release(account(a), quota.Sessions) }
}
