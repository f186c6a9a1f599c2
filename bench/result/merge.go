package result

import (
	"fmt"
	"slices"
)

// Merge makes one run of those with the same label, era and machine: a later one's scenarios take the place of those of the same name, and others come behind. So a scenario can be measured again
// for all servers. Where the later one was made by another version of the tool, or of another version of the server, its scenarios say so in a note. The runs that it is given stay as they are.
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
		note = fmt.Sprintf("measured apart from other scenarios, on %s with mooring-bench %s, of version %s", later.Began.UTC().Format("2006-01-02"), later.Tool.Version, orWord(later.Server.Version, "unknown"))
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
