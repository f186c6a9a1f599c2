package report

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/bench/result"
)

// pays returns a run with the two figures of the overview.
func pays(label, kind string, memory, cpu float64) *result.Run {
	return &result.Run{Server: result.Server{Label: label, Kind: kind, Era: "modern"}, Scenarios: []result.Scenario{
		{Name: "idle", Figures: []result.Figure{{Name: "rss_per_stream", Title: "M", Unit: "B", Value: memory, Better: "lower", Key: true}}},
		{Name: "call", Figures: []result.Figure{{Name: "call_cpu", Title: "C", Unit: "s", Value: cpu, Better: "lower", Key: true}}},
	}}
}

// overview returns the image of the runs after checking that it is well-formed, stays inside its
// borders and has a background of its own that covers it.
func overview(t testing.TB, runs []*result.Run) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteOverview(&b, runs); err != nil {
		t.Fatal(err)
	}
	image := b.String()
	if n := strings.Count(image, "<style>"); n != 1 {
		t.Fatalf("%d style sheets in\n%s", n, image)
	}
	if err := checkImage(sheet.ReplaceAllString(image, "")); err != nil {
		t.Fatalf("%v in\n%s", err, image)
	}
	size := regexp.MustCompile(`^<svg [^>]*width="(\d+)" height="(\d+)"`).FindStringSubmatch(image)
	card := regexp.MustCompile(`<rect class="card" x="0.5" y="0.5" width="(\d+)" height="(\d+)">`).FindStringSubmatch(image)
	if size == nil || card == nil {
		t.Fatalf("no size or no background in\n%s", image)
	}
	for i := 1; i <= 2; i++ {
		if whole, _ := strconv.Atoi(size[i]); card[i] != strconv.Itoa(whole-1) {
			t.Errorf("the background is %s by %s, the image %s by %s", card[1], card[2], size[1], size[2])
		}
	}
	return image
}

var drawnBar = regexp.MustCompile(`<rect class="(own|other)" x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="13">`)

// TestOverviewOfReadme checks that the image that README.md shows is the one of the newest results.
func TestOverviewOfReadme(t *testing.T) {
	names, err := filepath.Glob("../results/20??-??-??.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("no results: %v", err)
	}
	runs, err := result.ReadRuns(slices.Max(names))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../../docs/overview.svg")
	if err != nil {
		t.Fatal(err)
	}
	if got := overview(t, runs); got != string(want) {
		t.Errorf("docs/overview.svg is another image than mooring-bench report --overview writes:\n%s", got)
	}
}

// TestOverviewBars checks that bars begin on one line in each panel, that their lengths are
// proportional to the values, and that floors and other eras are left out.
func TestOverviewBars(t *testing.T) {
	floor, legacy := pays("Floor", "floor", 1e6, 1e6), pays("Old", "mcp", 1e6, 1e6)
	legacy.Server.Era = "legacy"
	image := overview(t, []*result.Run{pays("Ours", "mooring", 1000, 2), pays("Theirs", "mcp", 50_000, 3), floor, pays("Others", "mcp", 25_000, 4), legacy})
	var got []string
	var lengths, begins []float64
	for _, m := range drawnBar.FindAllStringSubmatch(image, -1) {
		x, _ := strconv.ParseFloat(m[2], 64)
		length, _ := strconv.ParseFloat(m[3], 64)
		got, begins, lengths = append(got, m[1]), append(begins, x), append(lengths, length)
	}
	if strings.Join(got, " ") != "own other other own other other" {
		t.Fatalf("bars are %v in\n%s", got, image)
	}
	for i, values := range [][]float64{{1000, 50_000, 25_000}, {2, 3, 4}} {
		for j, v := range values {
			if want := lengths[3*i] * v / values[0]; math.Abs(lengths[3*i+j]-want) > 0.01*v/values[0] {
				t.Errorf("panel %d: the bar of %v is %v long, want %v", i, v, lengths[3*i+j], want)
			}
			if begins[3*i+j] != begins[3*i] {
				t.Errorf("panel %d: a bar begins at %v, another at %v", i, begins[3*i], begins[3*i+j])
			}
		}
	}
	for _, want := range []string{">Ours</text>", ">1 KB</text>", ">50 KB</text>", ">4 s</text>", `aria-label="Resident memory for one idle stream: Ours 1 KB; Theirs 50 KB; Others 25 KB. `} {
		if !strings.Contains(image, want) {
			t.Errorf("%s is not in\n%s", want, image)
		}
	}
	for _, banned := range []string{"Floor", "Old", "shared with the client"} {
		if strings.Contains(image, banned) {
			t.Errorf("%s is in\n%s", banned, image)
		}
	}
}

// TestOverviewOfOddRuns checks images of values that have no bar, and that nothing is written where
// there is nothing to draw.
func TestOverviewOfOddRuns(t *testing.T) {
	one := pays("One", "mooring", 1, 1)
	for why, tt := range map[string]struct {
		runs []*result.Run
		bars int
	}{
		"one server":     {[]*result.Run{one}, 2},
		"zero":           {[]*result.Run{one, pays("Zero", "mcp", 0, 0)}, 2},
		"negative":       {[]*result.Run{one, pays("Less", "mcp", -5, -1e99)}, 2},
		"not finite":     {[]*result.Run{one, pays("NaN", "mcp", math.NaN(), math.Inf(1))}, 2},
		"far apart":      {[]*result.Run{one, pays("Huge", "mcp", 1e99, 1e99)}, 4},
		"nothing known":  {[]*result.Run{one, {Server: result.Server{Label: "None", Era: "modern"}}}, 2},
		"same labels":    {[]*result.Run{one, one}, 4},
		"many":           {slices.Repeat([]*result.Run{one}, 50), 2 * overviewMost},
		"hostile texts":  {append([]*result.Run{one}, hostileRuns()...), 2},
		"hostile labels": {[]*result.Run{one, pays(hostile[1], "mcp", 2, 2), pays(hostile[8], "mcp", 2, 2), pays(hostile[len(hostile)-1], "mcp", 2, 2)}, 8},
	} {
		image := overview(t, tt.runs)
		if bars := len(drawnBar.FindAllString(image, -1)); bars != tt.bars {
			t.Errorf("%s: %d bars, want %d in\n%s", why, bars, tt.bars, image)
		}
		if len(image) > 100_000 {
			t.Errorf("%s: %d bytes", why, len(image))
		}
	}
	for why, runs := range map[string][]*result.Run{
		"no run": nil, "only a floor": {pays("Floor", "floor", 1, 1)}, "no figure": {{}}, "no value": {pays("Zero", "mcp", 0, 0)},
	} {
		var b bytes.Buffer
		if err := WriteOverview(&b, runs); !errors.Is(err, ErrNoOverview) || b.Len() > 0 {
			t.Errorf("%s: %v, %d bytes written", why, err, b.Len())
		}
	}
}

// TestOverviewStyles checks that each class of the image has a colour in both themes, and that the
// style sheet refers to nothing.
func TestOverviewStyles(t *testing.T) {
	light, dark, ok := strings.Cut(overviewCSS, "@media (prefers-color-scheme: dark)")
	if !ok {
		t.Fatal("no dark theme")
	}
	image := overview(t, []*result.Run{pays("Ours", "mooring", 1, 1), pays("Theirs", "mcp", 2, 2)})
	classes := regexp.MustCompile(`<(?:rect|text|line)[^>]* class="(\w+)"|<(?:rect|text|line) class="(\w+)"`).FindAllStringSubmatch(image, -1)
	if len(classes) < 10 {
		t.Fatalf("found %d classes", len(classes))
	}
	for _, m := range classes {
		for name, css := range map[string]string{"light": light, "dark": dark} {
			if !regexp.MustCompile(`\.` + m[1] + m[2] + `\b`).MatchString(css) {
				t.Errorf("no colour for %s in the %s theme", m[1]+m[2], name)
			}
		}
	}
	if strings.Contains(overviewCSS, "url(") || strings.Contains(overviewCSS, "@import") || strings.ContainsAny(overviewCSS, "<&") {
		t.Error("the style sheet refers to something")
	}
}
