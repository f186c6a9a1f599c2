package report

import (
	"math"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/bench/result"
)

// evil is a run in which every text is text.
func evil(text string) *result.Run {
	v := 2.0
	return &result.Run{
		Command: []string{text, "--label", text}, Tool: result.Tool{Version: text, Go: text}, Machine: result.Machine{OS: text, Kernel: text, CPU: text},
		Server: result.Server{Label: text, URL: text, Name: text, Version: text, Era: text, Revision: text, PID: 1, Command: text, Notes: text},
		Scenarios: []result.Scenario{{
			Name: text, Title: text, Params: []result.Param{{Name: text, Value: text}}, Notes: []string{text}, Error: text, Skipped: text,
			Figures:       []result.Figure{{Name: text, Title: text, Unit: text, Value: 1, Better: text, Key: true, Client: &v}, {Name: text + "2", Title: text, Unit: "B", Value: 1, Better: "lower"}},
			Series:        []result.Series{{Name: text, Title: text, Unit: text, Points: [][2]float64{{0, 1}, {1, 2}}}},
			Distributions: []result.Distribution{{Name: text, Title: text, Unit: text, Quantiles: [][2]float64{{0, 1}, {50, 2}, {100, 3}}}},
			Findings:      []result.Finding{{Code: text, Text: text}},
		}},
	}
}

var hostile = []string{
	`<script>alert(1)</script>`, `</svg></title></style><img src=x onerror=alert(1)>`, `"><svg onload=alert(1)>`, `' onmouseover='alert(1)`, `javascript:alert(1)`, `http://evil.example/x.png`,
	"]]>&amp;&#0;&bogus;", "{{.}}", "\x00\x01\x1b[31m\u202e\ufeff\ufffe\uffff", "\xff\xfe\xc0\x80", "</style><style>*{background:url(//evil.example)}</style>", "<!--", "-->", "", "\U0010ffff𝕏",
	strings.Repeat("very long label ", 4000), strings.Repeat("W", 50_000),
}

// hostileRuns returns two runs for each hostile text: with one alone there are no bars.
func hostileRuns() (runs []*result.Run) {
	for _, text := range hostile {
		runs = append(runs, evil(text), evil(text))
	}
	return runs
}

func TestHostileTexts(t *testing.T) {
	for _, text := range hostile {
		page := written(t, []*result.Run{evil(text), evil(text)})
		wantQuiet(t, page)
		wantImages(t, page)
		if len(page) > 400_000 {
			t.Errorf("%.30q: a page of %d bytes", text, len(page))
		}
	}
}

func FuzzTexts(f *testing.F) {
	for _, text := range hostile {
		if len(text) < 1000 {
			f.Add(text, 1.0, 2.0)
		}
	}
	f.Add("x", 5e-324, math.MaxFloat64)
	f.Add("x", 1e-90, 1e90)
	f.Add("x", math.NaN(), math.Inf(-1))
	f.Add("x", 1e15, 1e15+1)
	f.Fuzz(func(t *testing.T, text string, a, b float64) {
		one, two := evil(text), evil(text)
		for i, run := range []*result.Run{one, two} {
			s := &run.Scenarios[0]
			for j := range s.Figures {
				s.Figures[j].Value = []float64{a, b}[i]
			}
			s.Series[0].Points = [][2]float64{{a, b}, {b, a}, {a, a}}
			s.Distributions[0].Quantiles = [][2]float64{{a, b}, {50, a}, {100, b}}
		}
		page := written(t, []*result.Run{one, two})
		wantQuiet(t, page)
		wantImages(t, page)
	})
}
