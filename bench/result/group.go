package result

import "slices"

// A Group is a set of runs that are compared with one another: those of one era. What a server does
// for a stream with a session is not what it does for one without.
type Group struct {
	Title string // "At 2026-07-28"
	Runs  []*Run
}

type eraGroup struct{ era, title string }

// eraGroups are the groups of servers that speak MCP, in their order. Runs of other eras belong to
// the last one.
var eraGroups = [...]eraGroup{{"modern", "At 2026-07-28"}, {"legacy", "With sessions, at 2025-11-25"}, {"", "In an unknown era"}}

const (
	plainEra   = "plain"
	plainTitle = "Event streams without MCP"
)

// Groups puts each run into the group of its era, in the order of the runs. Runs of the era plain
// follow those of every group: a server that does not speak MCP is there for reference. If the runs
// that speak MCP belong to one era, or there are none, there is one group, of all runs in their
// order.
func Groups(runs []*Run) []Group {
	var plain []*Run
	var of [len(eraGroups)][]*Run
	for _, r := range runs {
		if r.Server.Era == plainEra {
			plain = append(plain, r)
			continue
		}
		at := slices.IndexFunc(eraGroups[:len(of)-1], func(g eraGroup) bool { return g.era == r.Server.Era })
		if at < 0 {
			at = len(of) - 1
		}
		of[at] = append(of[at], r)
	}
	var groups []Group
	for i, some := range of {
		if len(some) > 0 {
			groups = append(groups, Group{Title: eraGroups[i].title, Runs: append(some, plain...)})
		}
	}
	switch {
	case len(runs) == 0:
		return nil
	case len(groups) == 0:
		return []Group{{Title: plainTitle, Runs: runs}}
	case len(groups) == 1:
		groups[0].Runs = runs
	}
	return groups
}
