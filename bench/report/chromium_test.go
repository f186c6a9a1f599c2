package report

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// complaints opens a page and returns what is wrong with it: a request other than its own, an error
// on the console, a chart without size or with nothing visible in it, a style sheet that does not
// apply, or a page wider than the window.
func (b *browser) complaints(page string, charts int) (list []string) {
	b.t.Helper()
	name := filepath.Join(b.t.TempDir(), "report.html")
	if err := os.WriteFile(name, []byte(page), 0o666); err != nil {
		b.t.Fatal(err)
	}
	own := (&url.URL{Scheme: "file", Path: name}).String()
	b.open(own)
	complain := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }

	var seen struct {
		Charts, Swatches, Small int
		Drawn                   []int
		Scripts, Wide           int
		Family                  string
	}
	b.evaluate(`(() => {
		const size = e => { const r = e.getBoundingClientRect(); return Math.min(r.width, r.height) };
		const charts = [...document.querySelectorAll("svg.chart")], swatches = [...document.querySelectorAll("svg.swatch")];
		return {
			charts: charts.length, swatches: swatches.length,
			small: charts.filter(e => size(e) < 40).length + swatches.filter(e => size(e) < 5).length,
			drawn: charts.map(e => [...e.querySelectorAll("path,rect,circle,text")].filter(s => {
				const r = s.getBoundingClientRect(), c = getComputedStyle(s);
				return r.width + r.height > 0 && (c.fill !== "none" || c.stroke !== "none");
			}).length),
			scripts: document.scripts.length,
			wide: document.documentElement.scrollWidth - innerWidth,
			family: getComputedStyle(document.documentElement).fontFamily,
		};
	})()`, &seen)
	if seen.Charts != charts {
		complain("%d charts instead of %d", seen.Charts, charts)
	}
	if seen.Small > 0 {
		complain("%d images without size", seen.Small)
	}
	if n := len(seen.Drawn); n > 0 && slices.Min(seen.Drawn) < 2 {
		complain("a chart with nothing to see")
	}
	if seen.Scripts > 0 {
		complain("%d scripts", seen.Scripts)
	}
	if seen.Wide > 0 {
		complain("the page is %d pixels wider than the window", seen.Wide)
	}
	if !strings.Contains(seen.Family, "system-ui") {
		complain("the style sheet does not apply: the font is %s", seen.Family)
	}
	return append(list, heard(b.t, b.events, own)...)
}

// heard returns the requests other than own and the errors among events.
func heard(t *testing.T, events []message, own string) (list []string) {
	t.Helper()
	for _, m := range events {
		var p struct {
			Request struct {
				URL string `json:"url"`
			} `json:"request"`
			Type  string `json:"type"`
			Entry struct {
				Level, Text string
			} `json:"entry"`
			Args             json.RawMessage `json:"args"`
			ExceptionDetails json.RawMessage `json:"exceptionDetails"`
		}
		if len(m.Params) > 0 {
			if err := json.Unmarshal(m.Params, &p); err != nil {
				t.Fatalf("%s: %v", m.Method, err)
			}
		}
		switch m.Method {
		case "Network.requestWillBeSent":
			if p.Request.URL != own && !strings.HasPrefix(p.Request.URL, "data:") {
				list = append(list, "request of "+p.Request.URL)
			}
		case "Runtime.consoleAPICalled":
			list = append(list, fmt.Sprintf("console: %s %s", p.Type, p.Args))
		case "Runtime.exceptionThrown":
			list = append(list, fmt.Sprintf("exception: %s", p.ExceptionDetails))
		case "Log.entryAdded":
			if p.Entry.Level == "error" || p.Entry.Level == "warning" {
				list = append(list, "log: "+p.Entry.Text)
			}
		}
	}
	return list
}

// media sets the page's medium, theme and window width.
func (b *browser) media(medium, theme string, width int) {
	b.t.Helper()
	b.call("Emulation.setEmulatedMedia", map[string]any{"media": medium, "features": []map[string]string{{"name": "prefers-color-scheme", "value": theme}}}, nil)
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}, nil)
}

// TestChromium checks the report in a browser: every chart is drawn, nothing is fetched, and there
// are no complaints, on screens of three widths, light and dark, and on paper, which is white.
func TestChromium(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	b := startBrowser(t)
	runs := samples(t)
	many := slices.Clone(runs)
	for len(many) < 20 {
		many = append(many, runs[len(many)%3])
	}
	const paper = "print" // too narrow for a table of many columns
	type look struct {
		medium, theme string
		width         int
		background    string
	}
	few := []look{{"screen", "light", 360, "rgb(255, 255, 255)"}, {paper, "dark", 690, "rgb(255, 255, 255)"}}
	all := append(few, look{"screen", "light", 1280, "rgb(255, 255, 255)"}, look{"screen", "dark", 1280, "rgb(20, 24, 28)"}, look{"screen", "light", 700, "rgb(255, 255, 255)"})
	for _, p := range []struct {
		name, page string
		looks      []look
		tooWide    string
	}{
		{"three servers", written(t, runs), all, ""},
		{"two eras", written(t, eras(t)), all, ""},
		{"one server", written(t, runs[:1]), few, ""},
		{"ten servers", written(t, many[:10]), few, ""},
		{"twenty servers", written(t, many), few, paper},
		{"hostile texts", written(t, append(hostileRuns(), runs...)), few, paper},
	} {
		charts := wantImages(t, p.page)
		for _, l := range p.looks {
			b.media(l.medium, l.theme, l.width)
			for _, complaint := range b.complaints(p.page, charts) {
				if l.medium == p.tooWide && strings.Contains(complaint, "wider than the window") {
					continue
				}
				t.Errorf("%s, %s %s %d: %s", p.name, l.medium, l.theme, l.width, complaint)
			}
			var background string
			b.evaluate(`getComputedStyle(document.body).backgroundColor`, &background)
			if background != l.background {
				t.Errorf("%s, %s %s: the background is %s", p.name, l.medium, l.theme, background)
			}
		}
	}
}

// TestChromiumSees checks that the check detects what it looks for.
func TestChromiumSees(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	b := startBrowser(t)
	b.media("screen", "light", 1280)
	page := written(t, samples(t))
	charts := wantImages(t, page)
	policy := page[strings.Index(page, `<meta http-equiv="Content-Security-Policy"`):]
	policy = policy[:strings.Index(policy, ">")+1]
	open := strings.Replace(page, policy, "", 1) // a page without protection
	if got := b.complaints(open, charts); len(got) > 0 {
		t.Fatalf("without a policy: %v", got)
	}
	into := func(page, markup string) string { return strings.Replace(page, "</main>", markup+"</main>", 1) }
	for _, tt := range []struct{ why, page, want string }{
		{"an image from elsewhere", into(open, `<img src="http://images.example/x.png" alt="">`), "request of http://images.example/x.png"},
		{"one that the policy stops", into(page, `<img src="http://images.example/x.png" alt="">`), "log: "},
		{"a style sheet from elsewhere", into(open, `<link rel="stylesheet" href="http://styles.example/x.css">`), "request of http://styles.example/x.css"},
		{"another file", into(open, `<img src="x.png" alt="">`), "x.png"},
		{"a script", into(open, `<script>1</script>`), "1 scripts"},
		{"a script that complains", into(open, `<script>console.error("rain")</script>`), "rain"},
		{"a script that fails", into(open, `<script>nothing.there()</script>`), "nothing is not defined"},
		{"a script that the policy stops", into(page, `<script>1</script>`), "log: "},
		{"a chart without size", into(open, `<svg class="chart" style="height:0"><text>x</text></svg>`), "1 images without size"},
		{"an empty chart", into(open, `<svg class="chart" width="99" height="99"></svg>`), "a chart with nothing to see"},
		{"a chart too few", strings.Replace(page, `class="chart"`, `class="art"`, 1), fmt.Sprintf("%d charts instead of %d", charts-1, charts)},
		{"a wide page", into(open, `<p style="width:5000px;max-width:none">x</p>`), "wider than the window"},
		{"a style sheet of another hash", strings.Replace(page, "<style>", "<style> ", 1), "the style sheet does not apply"},
	} {
		expected := charts
		if strings.Contains(tt.page, `<svg class="chart"`) {
			expected++
		}
		if got := strings.Join(b.complaints(tt.page, expected), "\n"); !strings.Contains(got, tt.want) {
			t.Errorf("%s: complaints are %q, want one with %q", tt.why, got, tt.want)
		}
	}
}
