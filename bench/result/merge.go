package result

import (
	"fmt"
	"slices"
)

// Merge makes one run of those with the same label, era and machine: a later run's scenarios
// replace those of the same name, and further ones are appended. That way a scenario can be
// measured again for all servers. If the later run was made by another version of the tool, or with
// another version of the server, its scenarios say so in a note. Merge does not change the runs
// that it is given.
func Merge(runs []*Run) []*Run {
	var merged []*Run
	for _, r := range runs {
		at := slices.IndexFunc(merged, func(m *Run) bool {
			return m.Server.Label == r.Server.Label && m.Server.Era == r.Server.Era && m.Machine == r.Machine
		})
		if at < 0 {
			c := *r
			c.Scenarios = slices.Clone(r.Scenarios)
			merged = append(merged, &c)
			continue
		}
		merged[at].take(r)
	}
	return merged
}

// take puts the scenarios of a later run into r.
func (r *Run) take(later *Run) {
	if r.Server.Kind == "" {
		r.Server.Kind = later.Server.Kind
	}
	note := ""
	if later.Tool != r.Tool || later.Server.Version != r.Server.Version {
		note = fmt.Sprintf("measured separately from other scenarios, on %s with mooring-bench %s, server version %s", later.Began.UTC().Format("2006-01-02"), later.Tool.Version, orWord(later.Server.Version, "unknown"))
	}
	for _, s := range later.Scenarios {
		if note != "" {
			s.Notes = append(slices.Clone(s.Notes), note)
		}
		if at := slices.IndexFunc(r.Scenarios, func(old Scenario) bool { return old.Name == s.Name }); at >= 0 {
			r.Scenarios[at] = s
		} else {
			r.Scenarios = append(r.Scenarios, s)
		}
	}
}
