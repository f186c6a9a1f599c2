package result

import (
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestHumanise(t *testing.T) {
	for _, tt := range []struct {
		v    float64
		unit string
		want string
	}{
		{680, "B", "680 B"}, {999.4, "B", "999 B"}, {999.6, "B", "1 KB"}, {38_240, "B", "38.2 KB"}, {1.05e6, "B", "1.05 MB"}, {-41e3, "B", "−41 KB"}, {0, "B", "0 B"}, {5e15, "B", "5,000 TB"},
		{1.9, "ms", "1.9 ms"}, {0.0123, "ms", "12.3 µs"}, {12_345, "ms", "12.3 s"}, {0, "ms", "0 ms"}, {7.6, "s", "7.6 s"}, {0.52, "s", "520 ms"}, {4321, "s", "4,321 s"},
		{12.2, "µs", "12.2 µs"}, {0.5, "µs", "500 ns"}, {2500, "µs", "2.5 ms"},
		{6740.6, "/s", "6,741/s"}, {3.456, "/s", "3.46/s"}, {2.444, "%", "2.44 %"}, {100, "%", "100 %"},
		{8000, "count", "8,000"}, {1234567, "", "1,234,567"}, {1.0449, "", "1.04"}, {0.00012345, "", "0.000123"}, {1e-9, "", "1e-09"}, {1e300, "", "1e+300"},
		{math.NaN(), "B", "–"}, {math.Inf(-1), "ms", "–"}, {math.Copysign(0, -1), "count", "0"}, {7, "kn\x1b[31m", "7 kn[31m"},
	} {
		if got := Humanise(tt.v, tt.unit); got != tt.want {
			t.Errorf("%v %s: got %q, want %q", tt.v, tt.unit, got, tt.want)
		}
	}
	for v, want := range map[float64]string{56.2: "56 ×", 1.42: "1.4 ×", 0.853: "0.85 ×", 0.0123: "0.01 ×", 1234: "1,234 ×", 0: "", math.Inf(1): "", 1: "1 ×"} {
		if got := HumaniseRatio(v); got != want {
			t.Errorf("ratio %v: got %q, want %q", v, got, want)
		}
	}
}

func TestPlain(t *testing.T) {
	for _, tt := range []struct {
		text  string
		limit int
		want  string
	}{
		{"  a\n\tb\u00a0 c ", 10, "a b c"},
		{"red \x1b[31m\x00\x07\u202etxt\u2066\ufeff", 30, "red [31mtxt"},
		{"\xff\xfeok", 10, "\ufffd\ufffdok"},
		{"abcdef", 6, "abcdef"}, {"abcdefg", 6, "abcde…"}, {"ab cdefg", 4, "ab…"}, {"ä ö ü ß", 5, "ä ö…"}, {"abc", 1, "…"}, {"abc", 0, ""}, {"", 0, ""},
	} {
		if got := Plain(tt.text, tt.limit); got != tt.want || utf8.RuneCountInString(got) > tt.limit {
			t.Errorf("%q to %d: got %q, want %q", tt.text, tt.limit, got, tt.want)
		}
	}
}

func fig(name string, v float64, better string) Figure {
	return Figure{Name: name, Value: v, Better: better}
}

func server(label string, s ...Scenario) *Run {
	return &Run{Format: Format, Server: Server{Label: label}, Scenarios: s}
}

func TestCompareJudges(t *testing.T) {
	lower := func(v float64) Figure { return fig("a", v, "lower") }
	runs := func(list ...any) (runs []*Run) {
		for _, v := range list {
			switch v := v.(type) {
			case string: // the kind of the previous run
				runs[len(runs)-1].Server.Kind = v
			case nil:
				runs = append(runs, server("x"))
			case Figure:
				runs = append(runs, server("x", Scenario{Name: "idle", Figures: []Figure{v}}))
			case Scenario:
				v.Name = "idle"
				runs = append(runs, server("x", v))
			}
		}
		return runs
	}
	with := func(code string, v float64) Scenario {
		return Scenario{Findings: []Finding{{Code: code}}, Figures: []Figure{lower(v)}}
	}
	failed := Scenario{Error: "reset", Figures: []Figure{lower(1)}}
	for why, tt := range map[string]struct {
		runs []*Run
		want string // per cell: text, * for best, ratio, ! for ahead
	}{
		"lower is better":                 {runs(lower(10), lower(20), lower(5)), "10 | 20 2 × | 5* 0.5 ×!"},
		"higher is better":                {runs(fig("a", 10, "higher"), fig("a", 20, "higher")), "10 | 20* 2 ×!"},
		"neither is":                      {runs(fig("a", 10, ""), fig("a", 20, "")), "10 | 20 2 ×"},
		"one has done less work":          {runs(fig("a", 1, ""), lower(20), lower(10)), "1 | 20 20 × | 10* 10 ×"},
		"one of the others has":           {runs(lower(20), fig("a", 1, ""), lower(10)), "20 | 1 0.05 × | 10* 0.5 ×!"},
		"all are equal":                   {runs(lower(7), lower(7)), "7 | 7 1 ×"},
		"two share the best":              {runs(lower(7), lower(7), lower(9)), "7* | 7* 1 × | 9 1.3 ×"},
		"nothing to compare":              {runs(lower(7)), "7"},
		"no other run has it":             {runs(lower(7), nil), "7 | –"},
		"the first lacks it":              {runs(nil, lower(7), lower(8)), "– | 7* | 8"},
		"a zero has no ratio":             {runs(lower(0), lower(8)), "0* | 8"},
		"nor to a zero":                   {runs(lower(8), lower(0)), "8 | 0*!"},
		"nor do negative ones":            {runs(lower(-3), lower(-6)), "−3 | −6*!"},
		"ahead, but too little to show":   {runs(lower(7.0001), lower(7)), "7 | 7* 1 ×"},
		"NaN":                             {runs(lower(math.NaN()), lower(7), lower(8)), "– | 7* | 8"},
		"infinite":                        {runs(lower(9), lower(math.Inf(-1)), lower(8)), "9 | – | 8* 0.89 ×!"},
		"unfinished is not best":          {runs(lower(10), failed, lower(20)), "10* | 1 0.1 × | 20 2 ×"},
		"none is ahead of the unfinished": {runs(failed, lower(0.5), lower(2)), "1 | 0.5* 0.5 × | 2 2 ×"},
		"nor is one that refuses":         {runs(lower(10), with("streams_refused", 1), lower(20)), "10* | 1 0.1 × | 20 2 ×"},
		"nor one that does not answer":    {runs(lower(10), with("call_errors", 1)), "10 | 1 0.1 ×"},
		"none is ahead of the faulty":     {runs(with("server_gone", 9), lower(0.5), lower(2)), "9 | 0.5* 0.06 × | 2 0.22 ×"},
		"other faults cost the same":      {runs(lower(10), with("close_wait", 1)), "10 | 1* 0.1 ×!"},
		"a floor is not best":             {runs(lower(10), "mooring", lower(1), "floor", lower(20), "mcp"), "10* | 1 0.1 × | 20 2 ×"},
		"nor compared with":               {runs(lower(10), "mooring", lower(1), "floor"), "10 | 1 0.1 ×"},
		"none is ahead of a floor":        {runs(lower(10), "floor", lower(5), lower(7)), "10 | 5* 0.5 × | 7 0.7 ×"},
		"nor ours of ours":                {runs(lower(10), "mooring", lower(5), "mooring", lower(6), "mcp"), "10 | 5* 0.5 × | 6 0.6 ×!"},
		"other projects are":              {runs(lower(10), "mcp", lower(5), "mcp"), "10 | 5* 0.5 ×!"},
		"other units":                     {runs(lower(10), Figure{Name: "a", Unit: "B", Value: 1, Better: "lower"}), "10 | 1 B"},
	} {
		c := Compare(tt.runs)
		if len(c.Scenarios) != 1 || len(c.Scenarios[0].Rows) != 1 {
			t.Fatalf("%s: %+v", why, c)
		}
		var cells []string
		for _, cell := range c.Scenarios[0].Rows[0].Cells {
			text := cell.Text()
			if cell.Best {
				text += "*"
			}
			if r := HumaniseRatio(cell.Ratio); r != "" {
				text += " " + r
			}
			if cell.Ahead {
				text += "!"
			}
			cells = append(cells, text)
		}
		if got := strings.Join(cells, " | "); got != tt.want {
			t.Errorf("%s: got %s, want %s", why, got, tt.want)
		}
	}
}

func TestCompareOrders(t *testing.T) {
	key := func(name string) Figure { return Figure{Name: name, Key: true} }
	c := Compare([]*Run{
		server("one", Scenario{Name: "idle", Params: []Param{{"n", "8000"}, {"same", "1"}}, Figures: []Figure{fig("a", 1, ""), key("b"), fig("c", 1, "")}}),
		server("one", Scenario{Name: "call", Figures: []Figure{key("x")}},
			Scenario{Name: "idle", Title: "Idle", Params: []Param{{"same", "1"}, {"n", "1000"}, {"new", "x"}}, Figures: []Figure{fig("d", 1, ""), key("e"), key("b")}}),
		server("", Scenario{Name: "idle", Skipped: "why", Params: []Param{{"n", "7"}}}),
	})
	if got := strings.Join(c.Labels, ", "); got != "one, one (2), server 3" {
		t.Errorf("labels: %s", got)
	}
	if len(c.Scenarios) != 2 || c.Scenarios[0].Name != "idle" || c.Scenarios[0].Title != "Idle" || c.Scenarios[1].Name != "call" {
		t.Fatalf("scenarios: %+v", c.Scenarios)
	}
	var names []string
	for _, r := range c.Scenarios[0].Rows {
		names = append(names, r.Name)
	}
	if got := strings.Join(names, " "); got != "b e a c d" {
		t.Errorf("rows: %s", got)
	}
	if got := strings.Join(c.Scenarios[0].Differ, "; "); got != "n: 8000, 1000; new: –, x" {
		t.Errorf("what differs: %s", got)
	}
	if c := Compare(nil); len(c.Labels)+len(c.Scenarios) != 0 {
		t.Errorf("of nothing: %+v", c)
	}
}

func text(t *testing.T, c *Comparison, write func(*Comparison, *strings.Builder) error) string {
	t.Helper()
	var b strings.Builder
	if err := write(c, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func asText(c *Comparison, b *strings.Builder) error     { return c.WriteText(b) }
func asMarkdown(c *Comparison, b *strings.Builder) error { return c.WriteMarkdown(b) }
func asReadme(c *Comparison, b *strings.Builder) error   { return c.WriteReadme(b) }

func TestTables(t *testing.T) {
	runs := sampleRuns(t)
	c := Compare(runs)
	plain, markdown, readme := text(t, c, asText), text(t, c, asMarkdown), text(t, c, asReadme)
	for _, tt := range []struct {
		text string
		want []string
	}{
		{plain, []string{
			"idle: Idle streams: what one costs\n  with connections 8000, hold 30s\n",
			"  Resident memory per stream                      680 B *    38.2 KB (56 ×)        56 KB (82 ×)\n  – the client's own                              212 B               212 B               212 B\n",
			"24 ms (0.77 ×) *\n", "sample: Buoy: skipped: the server's pid is not known", "sample: Chain: NOT FINISHED: the server ended the run", "sample: Chain: FOUND close_wait: 212 sockets",
			"  Time to exit                                   7.6 s               –    4.1 s (0.54 ×)\n",
		}},
		{markdown, []string{
			"### idle: Idle streams: what one costs\n\nwith connections 8000, hold 30s\n\n|  | sample: Anchor | sample: Buoy | sample: Chain |\n|---|--:|--:|--:|\n",
			"| Resident memory per stream | **680 B** | 38.2 KB (56 ×) | 56 KB (82 ×) |\n| – the client's own | 212 B | 212 B | 212 B |\n",
			"- sample: Chain: FOUND close\\_wait: 212",
		}},
		{readme, []string{
			"Measured on 2026-11-22 with mooring-bench v0.4.0: Sample CPU 2.4 GHz, 2 cores, 24 GiB. In parentheses: the ratio to the value of sample: Anchor. Bold: the best value.\n\n" +
				"| scenario | figure | unit | sample: Anchor |",
			"| idle | resident memory per stream | B | **680** | 38,200 (56 ×) | 56,000 (82 ×) |\n",
			"| drain | Streams that ended with their result | count | **8,000** | – | 7,410 (0.93 ×) |\n",
		}},
	} {
		for _, want := range tt.want {
			if !strings.Contains(tt.text, want) {
				t.Errorf("%q is not in:\n%s", want, tt.text)
			}
		}
	}
	for _, r := range runs {
		for _, s := range r.Scenarios {
			for _, f := range s.Figures {
				value := Humanise(f.Value, f.Unit)
				if !strings.Contains(plain, value) || !strings.Contains(markdown, value) {
					t.Errorf("%s.%s: %s is missing in a table", s.Name, f.Name, value)
				}
			}
		}
	}
	for _, s := range c.Scenarios {
		for _, row := range s.Rows {
			unit := row.shortUnit()
			line := "| " + s.Name + " | " + escapeMarkdown(row.shortTitle(s.Name)) + " | " + strings.TrimSpace(unit.name) + " |"
			for _, cell := range row.Cells {
				line += " " + unit.cell(&row, cell) + " |"
			}
			if strings.Contains(readme, line+"\n") != row.Key {
				t.Errorf("key figure: %v, but in the short table: %v: %s", row.Key, !row.Key, line)
			}
		}
	}
	if strings.Contains(readme, "212 B") {
		t.Error("the short table has a client's figure")
	}
	if strings.Contains(readme, "Sockets in CLOSE-WAIT at most") {
		t.Error("the README's table has a figure that is not a key figure")
	}
	floor, faulty := *runs[2], *runs[1]
	floor.Server.Kind = "floor"
	faulty.Scenarios = slices.Clone(faulty.Scenarios)
	faulty.Scenarios[0].Findings = []Finding{{Code: "streams_refused"}}
	readme = text(t, Compare([]*Run{runs[0], &faulty, &floor}), asReadme)
	for _, want := range []string{"Bold: the best value; floors are not finished servers and are not judged.\n", "were not finished: idle: sample: Buoy (streams\\_refused).\n"} {
		if !strings.Contains(readme, want) {
			t.Errorf("%q is not in:\n%s", want, readme)
		}
	}
	other := *runs[1]
	other.Machine.Cores = 64
	if got := text(t, Compare([]*Run{runs[0], &other}), asReadme); !strings.Contains(got, "not all measured on one machine") {
		t.Errorf("two machines:\n%s", got)
	}
	if got := text(t, Compare(nil), asText) + text(t, Compare(nil), asMarkdown) + text(t, Compare(nil), asReadme); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}

func TestTablesOfHostileTexts(t *testing.T) {
	const evil = "a|b\n| c |\r\n# <script>alert(1)</script> [x](http://evil.example) ![y](z) `q` **b** \x1b]0;t\x07 \u202e www.evil.example &lt; \\| ~~s~~"
	v := 1.0
	s := Scenario{Name: "idle", Title: evil, Params: []Param{{evil, evil}}, Figures: []Figure{{Name: "a", Title: evil, Key: true, Client: &v}},
		Notes: []string{evil}, Findings: []Finding{{Code: evil, Text: evil}}, Error: evil, Skipped: evil}
	run := server(evil, s)
	run.Tool.Version, run.Machine.CPU = evil, evil
	c := Compare([]*Run{run, server(evil), server(strings.Repeat("wide ", 10_000), s)})
	plain, markdown, readme := text(t, c, asText), text(t, c, asMarkdown), text(t, c, asReadme)
	if strings.ContainsAny(plain+markdown+readme, "\x1b\x07\r\u202e") {
		t.Errorf("terminal control characters are left:\n%q", plain)
	}
	for _, banned := range []string{"<script", " [x", " !", "\n#", "\n# ", " `q`", "(http://", "www.evil", " ~~s"} {
		if strings.Contains(strings.ReplaceAll(markdown, "\n### ", ""), banned) || strings.Contains(readme, banned) {
			t.Errorf("%q is left in:\n%s", banned, markdown)
		}
	}
	for text, want := range map[string]int{markdown: 4, readme: 6} {
		for _, line := range strings.Split(text, "\n") {
			if !strings.HasPrefix(line, "|") {
				continue
			}
			cells := strings.Count(strings.ReplaceAll(strings.ReplaceAll(line, `\\`, ""), `\|`, ""), "|") - 1
			if cells != want {
				t.Errorf("%d cells instead of %d: %s", cells, want, line)
			}
		}
	}
	for _, line := range strings.Split(plain, "\n") {
		if utf8.RuneCountInString(line) > 700 {
			t.Errorf("a line of %d characters: %.100s", utf8.RuneCountInString(line), line)
		}
	}
}

func TestTextColumnsAlign(t *testing.T) {
	lines := strings.Split(text(t, Compare(sampleRuns(t)), asText), "\n")
	head := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "   ") && strings.Contains(l, "sample: Chain") })
	end := func(l, s string) int {
		before, _, ok := strings.Cut(l, s)
		if !ok {
			return -1
		}
		return utf8.RuneCountInString(before + s)
	}
	if a, b := end(lines[head], "Anchor"), end(lines[head+1], "680 B"); a != b || a < 0 {
		t.Errorf("label ends at %d, value at %d:\n%s\n%s", a, b, lines[head], lines[head+1])
	}
}
