package server

import (
	"math"
	"strconv"
)

// ClientLimits say how much one client may have and do: one principal (Options.PerPrincipal), or
// all clients at one address (Options.PerAddress). A field that is zero or negative sets no limit,
// unless it says otherwise. What is above a limit gets 429 with Retry-After, and one client that is
// at its limits takes nothing from the others.
//
// Only what a principal does with its token counts for it. Anonymous callers have no principal, and
// clients of unix sockets no address, so these limits do not apply to them. IPv6 addresses count by
// their first 64 bits, because a client has all that begin with them.
type ClientLimits struct {
	// Connections is the maximum number of connections. One above it gets 429 and is disconnected
	// before a byte of it is read; one with TLS is closed without a response. A connection belongs to
	// the principal of its latest request, and a request that would make it one too many gets 429. On
	// net/http, a request is a connection while it is served, as for Options.MaxConnections.
	Connections int
	// Streams is the maximum number of open streams: of subscriptions/listen, of sessions and of
	// HTTP+SSE. A session that replaces its stream may do so at the limit.
	Streams int
	// Sessions is the maximum number of sessions with state: see Options.MaxSessions. A session
	// counts for the principal and the address whose request has made it one, until the state is
	// gone.
	Sessions int
	// Calls is the maximum number of calls in flight, not counting those on event loops. A batch is
	// one call.
	Calls int
	// CallRate is how many messages other than lists and handshakes a client may send in a second;
	// CallBurst of them may come at once. Each message of a batch counts, and one above the limit is
	// answered with an error in its place; if that is all of them, the batch gets 429. Answers to
	// questions of the server and cancellations do not count. The default of CallBurst is what comes
	// in a second.
	CallRate  float64
	CallBurst int
	// ListRate and ListBurst are the same for lists and handshakes: tools/list, prompts/list,
	// resources/list, resources/templates/list, initialize, server/discover, and requests that open
	// a stream. So a client that lists in a loop can still call, and the reverse. For an address, a
	// new connection, with its TLS handshake if it has one, is a handshake too. A request that is
	// refused for its credentials counts for its address both as a call and as a handshake.
	ListRate  float64
	ListBurst int
	// MaxTracked is the maximum number of clients that are remembered at a time, because they have
	// something or have sent something shortly before. When there are more, one that has nothing is
	// forgotten, and with it what it has sent; if there is none, newcomers get 429. Default
	// 1,000,000, some 60 MB; a negative value means the default.
	MaxTracked int
}

// withQuotaDefaults returns a copy of o with defaults, or nil if o limits nothing.
func withQuotaDefaults(o *ClientLimits) *ClientLimits {
	if o == nil {
		return nil
	}
	r := *o
	for _, n := range []*int{&r.Connections, &r.Streams, &r.Sessions, &r.Calls} {
		*n = int(min(int64(max(0, *n)), math.MaxUint32-1))
	}
	rate := func(perSecond *float64, burst *int) {
		if *perSecond <= 0 {
			*perSecond, *burst = 0, 0
		} else if *burst <= 0 {
			*burst = int(math.Ceil(min(*perSecond, 1<<30)))
		}
	}
	rate(&r.CallRate, &r.CallBurst)
	rate(&r.ListRate, &r.ListBurst)
	if r == (ClientLimits{MaxTracked: r.MaxTracked}) {
		return nil
	}
	if r.MaxTracked <= 0 {
		r.MaxTracked = 1_000_000
	}
	return &r
}

// checkQuotas returns what is wrong with o.PerPrincipal and o.PerAddress.
func checkQuotas(o *Options) error {
	for _, l := range []struct {
		name string
		of   *ClientLimits
	}{{"PerPrincipal", o.PerPrincipal}, {"PerAddress", o.PerAddress}} {
		if l.of == nil {
			continue
		}
		for _, r := range []struct {
			name      string
			perSecond float64
			burst     int
		}{{"Call", l.of.CallRate, l.of.CallBurst}, {"List", l.of.ListRate, l.of.ListBurst}} {
			name := l.name + "." + r.name
			switch {
			case math.IsNaN(r.perSecond) || math.IsInf(r.perSecond, 0):
				return &OptionError{name + "Rate", formatRate(r.perSecond), "is not a number"}
			case r.perSecond <= 0 && r.burst > 0:
				return &OptionError{name + "Burst", formatRate(float64(r.burst)), "has no rate to go with it"}
			}
		}
	}
	return nil
}

func formatRate(perSecond float64) string { return strconv.FormatFloat(perSecond, 'g', -1, 64) }
