package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/bench/result"
)

// samples returns the golden runs of package result: invented runs of servers that do not exist.
func samples(t testing.TB) (runs []*result.Run) {
	t.Helper()
	names, err := filepath.Glob("../result/testdata/*.json")
	if err != nil || len(names) != 3 {
		t.Fatalf("golden documents: %v, %v", names, err)
	}
	for _, name := range names {
		run, err := result.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		run.Server.Era = "modern" // all side by side; see TestEras
		runs = append(runs, run)
	}
	return runs
}

func written(t testing.TB, runs []*result.Run) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, runs); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var (
	image = regexp.MustCompile(`(?s)<svg .*?</svg>`)
	numAt = regexp.MustCompile(`^(x|y|x1|x2|y1|y2|cx|cy|r|dx|width|height)$`)
	begin = regexp.MustCompile(`<[a-zA-Z]`)
	sheet = regexp.MustCompile(`(?s)<style>.*?</style>`)
	tag   = regexp.MustCompile(`<([a-zA-Z][^\s>/]*)((?:\s+[a-zA-Z:-][a-zA-Z0-9:-]*(?:="[^"]*")?)*)\s*/?>`)
	attr  = regexp.MustCompile(`([a-zA-Z:-][a-zA-Z0-9:-]*)(?:="([^"]*)")?`)
)

// wantImages checks that the SVG images of a page are well-formed, named and not empty, and that
// all their coordinates are finite and inside. It returns how many charts there are.
func wantImages(t testing.TB, page string) (charts int) {
	t.Helper()
	for _, text := range image.FindAllString(page, -1) {
		if strings.Contains(text, `class="chart"`) {
			charts++
		}
		if err := checkImage(text); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
	}
	if strings.Count(page, "<svg") != strings.Count(page, "</svg>") {
		t.Fatal("an image does not end")
	}
	return charts
}

func checkImage(text string) error {
	d := xml.NewDecoder(strings.NewReader(text))
	d.Strict = true
	var w, h float64
	shapes := 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		for _, a := range e.Attr {
			var numbers []string
			switch {
			case numAt.MatchString(a.Name.Local):
				numbers = []string{a.Value}
			case a.Name.Local == "d":
				numbers = strings.FieldsFunc(a.Value, func(r rune) bool { return r == 'M' || r == 'L' || r == ' ' })
			case a.Name.Local == "aria-label" && a.Value == "":
				return errors.New("an image without a name")
			case strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "href" || a.Name.Local == "style":
				return fmt.Errorf("attribute %s", a.Name.Local)
			}
			for _, n := range numbers {
				v, err := strconv.ParseFloat(n, 64)
				if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
					return fmt.Errorf("%s=%q is not finite", a.Name.Local, a.Value)
				}
				switch {
				case e.Name.Local == "svg" && a.Name.Local == "width":
					w = v
				case e.Name.Local == "svg" && a.Name.Local == "height":
					h = v
				case v < -1 || v > max(w, h)+1:
					return fmt.Errorf("%s of %s is %v: outside of the image", a.Name.Local, e.Name.Local, v)
				}
			}
		}
		switch e.Name.Local {
		case "path", "rect", "circle", "text":
			shapes++
		case "svg", "title", "line", "g", "tspan":
		default:
			return fmt.Errorf("element %s", e.Name.Local)
		}
	}
	if w <= 0 || h <= 0 || shapes == 0 {
		return fmt.Errorf("%v by %v with %d shapes", w, h, shapes)
	}
	return nil
}

// wantQuiet checks that the page has only elements and attributes that the template and the images
// have, and therefore nothing that runs or fetches.
func wantQuiet(t testing.TB, page string) {
	t.Helper()
	known := map[string]bool{}
	for _, name := range strings.Fields(`html head meta link title style body header main nav section div p ul li dl dt dd h1 h2 h3 a b em strong small span code data
		table caption thead tbody tr th td figure figcaption svg g line rect circle path text tspan`) {
		known["<"+name] = true
	}
	for _, name := range strings.Fields(`lang charset http-equiv content name rel href class id aria-label role tabindex scope title value
		xmlns width height viewBox x y x1 y1 x2 y2 cx cy r d dx text-anchor stroke-dasharray`) {
		known[name] = true
	}
	rest := sheet.ReplaceAllString(page, "<style>")
	tags := tag.FindAllStringSubmatch(rest, -1)
	if begun := len(begin.FindAllString(rest, -1)); begun != len(tags) {
		t.Errorf("%d elements begin, %d are well-formed", begun, len(tags))
	}
	for _, m := range tags {
		if !known["<"+m[1]] {
			t.Errorf("element %s is in the page", m[1])
		}
		for _, a := range attr.FindAllStringSubmatch(m[2], -1) {
			if !known[a[1]] {
				t.Errorf("attribute %s is in the page: %s", a[1], m[0])
			}
			if a[1] == "href" && !strings.HasPrefix(a[2], "#") && a[2] != "data:," {
				t.Errorf("the page refers to %s", a[2])
			}
		}
	}
	if n := strings.Count(page, "<style"); n != 1 {
		t.Errorf("%d style sheets", n)
	}
	if strings.ContainsAny(page, "\x00\x1b\u202e") || strings.Contains(page, "ZgotmplZ") {
		t.Error("the page has characters that it should not have")
	}
}

// A listener is a testing.TB that only records whether Errorf or Error was called.
type listener struct {
	testing.TB
	heard bool
}

func (l *listener) Helper()               {}
func (l *listener) Errorf(string, ...any) { l.heard = true }
func (l *listener) Error(...any)          { l.heard = true }

func TestQuietCheckSees(t *testing.T) {
	page := written(t, samples(t))
	for _, bad := range []string{`<script>x</script>`, `<img src="x">`, `<p onclick="x">`, `<p style="x">`, `<a href="http://x">`, `<style>x</style>`, `<p title='x">`, "\x1b", `<p =x>`, `<IMG>`} {
		l := &listener{TB: t}
		wantQuiet(l, strings.Replace(page, "</main>", bad+"</main>", 1))
		if !l.heard {
			t.Errorf("%s passes", bad)
		}
	}
}

func TestSamples(t *testing.T) {
	runs := samples(t)
	page := written(t, runs)
	wantQuiet(t, page)
	charts := wantImages(t, page)
	text := html.UnescapeString(page)
	want := func(part string) {
		t.Helper()
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in the page", part)
		}
	}
	figures := map[string]bool{}
	curves := map[string]bool{}
	for _, r := range runs {
		want(r.Server.Label)
		want(r.Server.Notes)
		want(r.Server.Command)
		want(r.Server.Version)
		want(r.Machine.CPU)
		for _, s := range r.Scenarios {
			want(s.Title)
			want(s.Error)
			want(s.Skipped)
			for _, f := range s.Figures {
				figures[s.Name+f.Name] = true
				want(f.Title)
				want(fmt.Sprintf(`<data value="%s">%s</data>`, strconv.FormatFloat(f.Value, 'g', -1, 64), result.Humanise(f.Value, f.Unit)))
				if f.Client != nil {
					want("client " + result.Humanise(*f.Client, f.Unit))
				}
			}
			for _, v := range s.Series {
				curves[s.Name+v.Name] = true
			}
			for _, v := range s.Distributions {
				curves[s.Name+v.Name] = true
			}
			for _, f := range s.Findings {
				want(f.Code + ": " + f.Text)
			}
			for _, n := range s.Notes {
				want(n)
			}
		}
	}
	if charts != len(figures)+len(curves) {
		t.Errorf("%d charts for %d figures and %d curves", charts, len(figures), len(curves))
	}
	want("Time to the median client: sample: Chain has 24 ms, sample: Anchor has 31 ms (0.77 ×)")
	want("mooring-bench run all --url http://127.0.0.1:9000/mcp --label 'sample: Anchor' --connections 8000")
	want("Sample CPU 2.4 GHz, 2 cores, 24 GiB")
	want("lower is better · logarithmic scale")
	if strings.Contains(text, "not all measured on the same machine") || strings.Contains(text, "Not the same for all") {
		t.Error("the page says that the runs do not compare")
	}
}

// eras returns the golden runs in their own eras, one of them in both, and a floor that does not
// speak MCP.
func eras(t testing.TB) []*result.Run {
	t.Helper()
	runs := samples(t)
	runs[1].Server.Era, runs[2].Server.Era = "legacy", "legacy"
	again, floor := *runs[0], *runs[1]
	again.Server.Era = "legacy"
	floor.Server.Label, floor.Server.Era, floor.Server.Kind = "sample: Quay", "plain", "floor"
	return []*result.Run{runs[0], &again, runs[1], runs[2], &floor}
}

var idAt, hrefAt = regexp.MustCompile(` id="([^"]*)"`), regexp.MustCompile(` href="#([^"]*)"`)

// TestEras checks that servers are compared only within an era, in a part of its own, and that each
// part has the floor.
func TestEras(t *testing.T) {
	page := written(t, append(eras(t), evil("<b>"), evil("<b>")))
	wantQuiet(t, page)
	wantImages(t, page)
	ids := map[string]bool{}
	for _, m := range idAt.FindAllStringSubmatch(page, -1) {
		if ids[m[1]] {
			t.Errorf("two elements have the id %s", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range hrefAt.FindAllStringSubmatch(page, -1) {
		if !ids[m[1]] {
			t.Errorf("no element has the id %s", m[1])
		}
	}
	method := strings.Index(page, `<section id="method">`)
	_, parts, _ := strings.Cut(page[:method], "<main>")
	groups := strings.Split(parts, `class="era"`)[1:]
	if len(groups) != 3 {
		t.Fatalf("%d groups", len(groups))
	}
	for i, tt := range []struct{ title, labels string }{
		{"At 2026-07-28", "Anchor Quay"}, {"With sessions, at 2025-11-25", "Anchor Buoy Chain Quay"}, {"In an unknown era", "Quay"},
	} {
		if !strings.Contains(groups[i], "<h2>"+tt.title+"</h2>") {
			t.Errorf("group %d does not have the title %s", i+1, tt.title)
		}
		for _, label := range []string{"Anchor", "Buoy", "Chain", "Quay"} {
			if got, want := strings.Contains(groups[i], "sample: "+label), strings.Contains(tt.labels, label); got != want {
				t.Errorf("%s mentions %s: %t", tt.title, label, got)
			}
		}
		if !strings.Contains(groups[i], "sample: Quay: a lower bound for the others") {
			t.Errorf("%s does not say what a floor is", tt.title)
		}
		if strings.Contains(groups[i], "Anchor (2)") {
			t.Errorf("%s has labels of another era", tt.title)
		}
	}
	if n := strings.Count(page[method:], "<dt>measured by</dt>"); n != 7 {
		t.Errorf("%d servers are described, not each of 7 once", n)
	}
	if page = written(t, samples(t)); strings.Contains(page, `class="era"`) || !strings.Contains(page, `<section id="summary">`) {
		t.Error("a page of one era has parts")
	}
}

func TestSaysWhatDoesNotCompare(t *testing.T) {
	runs := samples(t)
	runs[1].Machine.Cores = 64
	runs[1].Scenarios[0].Params[0].Value = "1000"
	page := written(t, runs)
	for _, want := range []string{"not all measured on the same machine", "Not the same for all:</strong> connections: 8000, 1000, 8000.", "64 cores"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in the page", want)
		}
	}
}

func TestWriteFails(t *testing.T) {
	if err := Write(io.Discard, nil); err == nil {
		t.Error("a report on nothing was written")
	}
	if err := Write(failing{}, samples(t)); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("the writer's error is lost: %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, fs.ErrClosed }
