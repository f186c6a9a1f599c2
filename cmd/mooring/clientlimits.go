package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mooring-mcp/mooring/server"
)

// A clientLimits holds the settings of serve that limit what one client has and does.
type clientLimits struct{ perPrincipal, perAddress server.ClientLimits }

// parties are the kinds of clients with the beginnings of the names of their settings.
func (c *clientLimits) parties() [2]clientParty {
	return [2]clientParty{
		{"principal", "a principal", &c.perPrincipal},
		{"address", "all clients at one address", &c.perAddress},
	}
}

type clientParty struct {
	of     string
	who    string // as the help names one of them
	limits *server.ClientLimits
}

// flags adds the flags to cmd. They set the fields of c. It returns their names.
func (c *clientLimits) flags(cmd *cobra.Command) (names []string) {
	f := cmd.Flags()
	for _, p := range c.parties() {
		l := p.limits
		f.IntVar(&l.Connections, p.of+"-connections", 0, "maximum `number` of open connections of "+p.who+"; 0 means no limit")
		f.IntVar(&l.Streams, p.of+"-streams", 0, "maximum `number` of open streams of "+p.who+"; 0 means no limit")
		f.IntVar(&l.Sessions, p.of+"-sessions", 0, "maximum `number` of sessions with state of "+p.who+"; 0 means no limit")
		f.IntVar(&l.Calls, p.of+"-calls", 0, "maximum `number` of calls in flight of "+p.who+"; 0 means no limit")
		f.Float64Var(&l.CallRate, p.of+"-call-rate", 0, "maximum `number` of calls a second of "+p.who+"; 0 means no limit")
		f.IntVar(&l.CallBurst, p.of+"-call-burst", 0, "`number` of calls of "+p.who+" that may come at once; 0 means those of a second")
		f.Float64Var(&l.ListRate, p.of+"-list-rate", 0, "maximum `number` of lists and handshakes a second of "+p.who+"; 0 means no limit")
		f.IntVar(&l.ListBurst, p.of+"-list-burst", 0, "`number` of lists and handshakes of "+p.who+" that may come at once; 0 means those of a second")
		f.IntVar(&l.MaxTracked, p.of+"-tracked", 1_000_000, "maximum `number` of clients that are remembered for these limits, counted by "+p.of)
		for _, name := range []string{"connections", "streams", "sessions", "calls", "call-rate", "call-burst", "list-rate", "list-burst", "tracked"} {
			names = append(names, p.of+"-"+name)
		}
	}
	return names
}

// used reports whether a party has limits.
func (p *clientParty) used() bool {
	l := p.limits
	return l.Connections != 0 || l.Streams != 0 || l.Sessions != 0 || l.Calls != 0 || l.CallRate != 0 || l.ListRate != 0
}

// limitsAddresses reports whether addresses have limits.
func (c *clientLimits) limitsAddresses() bool {
	parties := c.parties()
	return parties[1].used()
}

// check returns an error for the first limit that is invalid. authenticates says that callers have
// names.
func (c *clientLimits) check(authenticates bool) error {
	for _, p := range c.parties() {
		l := p.limits
		for _, n := range []struct {
			name  string
			value float64
		}{
			{"connections", float64(l.Connections)}, {"streams", float64(l.Streams)}, {"sessions", float64(l.Sessions)}, {"calls", float64(l.Calls)},
			{"call-rate", l.CallRate}, {"call-burst", float64(l.CallBurst)}, {"list-rate", l.ListRate}, {"list-burst", float64(l.ListBurst)},
		} {
			if !(n.value >= 0 && n.value <= 1e9) {
				return fmt.Errorf("%s-%s: %v is not between 0 and 1e9", p.of, n.name, n.value)
			}
		}
		switch {
		case l.MaxTracked <= 0:
			return fmt.Errorf("%s-tracked: %d is not positive", p.of, l.MaxTracked)
		case l.CallBurst > 0 && l.CallRate == 0:
			return fmt.Errorf("%s-call-burst: needs %s-call-rate", p.of, p.of)
		case l.ListBurst > 0 && l.ListRate == 0:
			return fmt.Errorf("%s-list-burst: needs %s-list-rate", p.of, p.of)
		}
	}
	if parties := c.parties(); parties[0].used() && !authenticates {
		return errors.New("limits of a principal: need auth-issuer, auth-introspection or auth-tokens-file")
	}
	return nil
}

// apply sets the limits in o.
func (c *clientLimits) apply(o *server.Options) {
	if parties := c.parties(); parties[0].used() {
		o.PerPrincipal = &c.perPrincipal
	}
	if c.limitsAddresses() {
		o.PerAddress = &c.perAddress
	}
}
