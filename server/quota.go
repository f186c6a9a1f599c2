package server

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/quota"
	"github.com/mooring-mcp/mooring/server/internal/session"
)

// This file knows what each principal and each address has and does, against Options.PerPrincipal
// and PerAddress. All loops share it. Its functions may be called from any goroutine.

// A party is a kind of client that has limits of its own.
type party uint8

const (
	byPrincipal party = iota
	byAddress
	numParties
)

// An account names who has something: by party, the key of a client, or 0 if there is none.
type account [numParties]uint64

// quotas are the tables by party; nil for a party without limits. A Server without any has no
// quotas.
type quotas struct {
	srv    *Server
	tables [numParties]*quota.Table
	rated  bool
}

// newQuotas returns the quotas of s, or nil if nothing is limited.
func newQuotas(s *Server) *quotas {
	q := &quotas{srv: s}
	for p, o := range [numParties]*ClientLimits{s.opts.PerPrincipal, s.opts.PerAddress} {
		if o == nil {
			continue
		}
		l := quota.Limits{Most: [quota.NumKinds]uint32{
			quota.Connections: uint32(o.Connections), quota.Streams: uint32(o.Streams),
			quota.Sessions: uint32(o.Sessions), quota.Calls: uint32(o.Calls),
		}}
		l.Rates[quota.CallRate] = quota.RateOf(o.CallRate, o.CallBurst)
		l.Rates[quota.ListRate] = quota.RateOf(o.ListRate, o.ListBurst)
		q.tables[p] = quota.New(l, int64(o.MaxTracked), func() { q.sweepLater(party(p)) })
		q.rated = q.rated || q.tables[p].Rated()
	}
	if q.tables == [numParties]*quota.Table{} {
		return nil
	}
	return q
}

// quotaSweep is the time between two sweeps of a table that has clients without anything.
const quotaSweep = time.Second

// sweepLater sweeps the table of a party when the budgets of some clients may be full, again and
// again until none is left to be forgotten.
func (q *quotas) sweepLater(p party) {
	if q.srv.base.Err() != nil {
		return // nobody calls any more
	}
	time.AfterFunc(quotaSweep, func() {
		if q.tables[p].Sweep(q.time()) {
			q.sweepLater(p)
		}
	})
}

// time returns the time for budgets. It is not read if there are none.
func (q *quotas) time() quota.Time {
	if !q.rated {
		return 0
	}
	return quota.Time(time.Since(q.srv.start))
}

// keyOf returns the key of a principal. It is 0 if who is anonymous, or principals have no limits.
func (q *quotas) keyOf(who *identity) uint64 {
	if who == nil || q.tables[byPrincipal] == nil {
		return 0
	}
	return ownerKey(who.owner)
}

// ownerKey returns the key of the principal of which o is a digest.
func ownerKey(o session.Owner) uint64 { return max(1, binary.BigEndian.Uint64(o[:])) }

// addressKey returns the key of an address. It is 0 if there is no address, or addresses have no
// limits.
func (q *quotas) addressKey(a netip.Addr) uint64 {
	a = a.Unmap()
	switch {
	case q.tables[byAddress] == nil || !a.IsValid():
		return 0
	case a.Is4():
		b := a.As4()
		return 1<<32 | uint64(binary.BigEndian.Uint32(b[:])) // no IPv6 address begins like that
	}
	b := a.As16()
	return max(1, binary.BigEndian.Uint64(b[:]))
}

// excess is why something is refused: whose limit it exceeds, and which. The zero excess refuses
// nothing.
type excess struct {
	class refusalClass // 0 if nothing is exceeded: the first class is of no limit
	retry int32        // the value of Retry-After
}

func (e excess) exceeds() bool { return e.class != 0 }

// A quotaLimit is a limit of a client, and the order of the classes of refusals of each party.
type quotaLimit uint8

// The kinds of package quota come first, then its budgets.
const (
	limitTable     = quotaLimit(quota.NumKinds) + quotaLimit(quota.NumBudgets)
	numQuotaLimits = limitTable + 1
)

var quotaLimitNames = [numQuotaLimits]struct{ name, text string }{
	{"connections", "too many connections"},
	{"streams", "too many streams"},
	{"sessions", "too many sessions with state"},
	{"calls", "too many calls in flight"},
	{"call_rate", "too many calls"},
	{"list_rate", "too many lists and handshakes"},
	{"tracked", "too many clients"},
}

var partyNames = [numParties]string{"principal", "address"}

// quotaErrors are the errors that clients get, by the class of the refusal.
var quotaErrors = func() (errs [numRefusalClasses]*jsonrpc.Error) {
	for p := range numParties {
		for i, l := range quotaLimitNames {
			text := l.text + " of this " + partyNames[p]
			if quotaLimit(i) == limitTable {
				text = l.text
			}
			errs[p.class(quotaLimit(i))] = &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: text}
		}
	}
	return errs
}()

// class returns the class of the refusals for a limit.
func (p party) class(l quotaLimit) refusalClass {
	return refusedQuota + refusalClass(p)*refusalClass(numQuotaLimits) + refusalClass(l)
}

// error returns what a client gets that is refused.
func (e excess) error() *jsonrpc.Error { return quotaErrors[e.class] }

// refuse counts a refusal for a limit. Whoever is refused has to wait for so long, or, if that is
// 0, for a time that is not known.
func (q *quotas) refuse(p party, l quotaLimit, o quota.Outcome, wait time.Duration) excess {
	if o == quota.Full {
		l = limitTable
	}
	class := p.class(l)
	q.srv.refused(class)
	// Not all come back in the same second.
	secs := int32(max(1, min((wait+time.Second-1)/time.Second, maxRetryAfter)))
	return excess{class, secs + rand.Int32N(secs/2+2)}
}

// maxRetryAfter is the longest Retry-After, in seconds and without the spread.
const maxRetryAfter = 24 * 60 * 60

// take counts one more of a kind for an account. release takes it back.
func (q *quotas) take(a account, k quota.Kind) excess {
	for p, t := range q.tables {
		if t == nil || a[p] == 0 || !t.Counts(k) {
			continue
		}
		now := q.time()
		if o := t.Take(a[p], k, now); o != quota.OK {
			for before := range p {
				if b := q.tables[before]; b != nil && a[before] != 0 {
					b.Release(a[before], k, now)
				}
			}
			return q.refuse(party(p), quotaLimit(k), o, 0)
		}
	}
	return excess{}
}

// force is take for what cannot be refused. It returns the account for which it is counted.
func (q *quotas) force(a account, k quota.Kind) account {
	for p, t := range q.tables {
		if t == nil || a[p] == 0 || !t.Force(a[p], k, q.time()) {
			a[p] = 0
		}
	}
	return a
}

// release takes back what take or force has counted.
func (q *quotas) release(a account, k quota.Kind) {
	for p, t := range q.tables {
		if t != nil && a[p] != 0 && t.Counts(k) {
			t.Release(a[p], k, q.time())
		}
	}
}

// spend takes one from a budget of each party of an account.
func (q *quotas) spend(a account, b quota.Budget) excess {
	if !q.rated {
		return excess{}
	}
	now := q.time()
	for p, t := range q.tables {
		if t == nil || a[p] == 0 {
			continue
		}
		if wait, o := t.Spend(a[p], b, now); o != quota.OK {
			return q.refuse(party(p), quotaLimit(quota.NumKinds)+quotaLimit(b), o, wait)
		}
	}
	return excess{}
}

// empty reports whether no budget of an account has anything left.
func (q *quotas) empty(a account) excess {
	if !q.rated {
		return excess{}
	}
	now := q.time()
	for p, t := range q.tables {
		if t == nil || a[p] == 0 {
			continue
		}
		wait := t.Wait(a[p], quota.CallRate, now)
		if wait > 0 && t.Wait(a[p], quota.ListRate, now) > 0 {
			return q.refuse(party(p), quotaLimit(quota.NumKinds)+quotaLimit(quota.CallRate), quota.Above, wait)
		}
	}
	return excess{}
}

// admit counts a connection with TLS for the address of its peer. left ends that. If it is not ok,
// nothing is counted.
func (q *quotas) admit(peer net.Addr) (left func(), ok bool) {
	tcp, _ := peer.(*net.TCPAddr)
	if tcp == nil || q.srv.trustsProxy(tcp.AddrPort().Addr().Unmap()) {
		return func() {}, true
	}
	a := account{byAddress: q.addressKey(tcp.AddrPort().Addr())}
	if q.spend(a, quota.ListRate).exceeds() || q.take(a, quota.Connections).exceeds() {
		return nil, false
	}
	return func() { q.release(a, quota.Connections) }, true
}

// tracked returns how many clients each table remembers.
func (q *quotas) tracked() map[string]int64 {
	if q == nil {
		return nil
	}
	m := make(map[string]int64, numParties)
	for p, t := range q.tables {
		if t != nil {
			m[partyNames[p]] = t.Entries()
		}
	}
	return m
}

// budgetOf returns the budget that a message of a method takes from.
func budgetOf(m mcp.Method) (b quota.Budget, counts bool) {
	switch m {
	case mcp.MethodListTools, mcp.MethodListPrompts, mcp.MethodListResources, mcp.MethodListResourceTemplates,
		mcp.MethodInitialize, mcp.MethodDiscover, mcp.MethodListen:
		return quota.ListRate, true
	case mcp.MethodNotifyCancelled:
		return 0, false
	}
	return quota.CallRate, true
}
