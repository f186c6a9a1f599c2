package result

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// samples returns the names and texts of the golden documents: three invented runs of servers that
// do not exist.
func samples(t testing.TB) (names []string, texts [][]byte) {
	t.Helper()
	names, err := filepath.Glob("testdata/*.json")
	if err != nil || len(names) != 3 {
		t.Fatalf("golden documents: %v, %v", names, err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	return names, texts
}

func sampleRuns(t testing.TB) (runs []*Run) {
	t.Helper()
	names, _ := samples(t)
	for _, name := range names {
		run, err := ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, run)
	}
	return runs
}

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t *testing.T, s *jsonschema.Schema, text []byte) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(doc)
}

func TestGoldenRoundTrip(t *testing.T) {
	names, texts := samples(t)
	for i, text := range texts {
		run, err := Read(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", names[i], err)
		}
		if !strings.HasPrefix(run.Server.Label, "sample: ") {
			t.Errorf("%s: label %q does not say that the data are invented", names[i], run.Server.Label)
		}
		for _, name := range []string{"idle", "churn", "storm", "fanout", "call", "slow", "drain", "mixed", "hostile"} {
			if run.Scenario(name) == nil {
				t.Errorf("%s: no scenario %s", names[i], name)
			}
		}
		var back bytes.Buffer
		if err := Write(&back, run); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(back.Bytes(), text) {
			t.Errorf("%s is not written as it was read:\n%s", names[i], back.Bytes())
		}
	}
}

func TestGoldenSchema(t *testing.T) {
	s := compiled(t)
	names, texts := samples(t)
	for i, text := range texts {
		if err := validate(t, s, text); err != nil {
			t.Errorf("%s: %v", names[i], err)
		}
	}
	for _, tt := range []struct{ why, old, new string }{
		{"another format", `"mooring-bench/1"`, `"mooring-bench/2"`},
		{"not a time", `"began": "2026-`, `"began": "in 2026-`},
		{"not an era", `"era": "modern"`, `"era": "ancient"`},
		{"not a kind", `"kind": "mooring"`, `"kind": "ours"`},
		{"not a unit", `"unit": "B"`, `"unit": "octets"`},
		{"not a name", `"name": "rss_per_stream"`, `"name": "RSS per stream"`},
		{"the reserved name", `"name": "rss_per_stream"`, `"name": "findings"`},
		{"better what", `"better": "lower"`, `"better": "softer"`},
		{"a figure without value", `"value": 680`, `"worth": 680`},
		{"a point of three", `[0, 0]`, `[0, 0, 0]`},
		{"a percentile above 100", `[100, `, `[101, `},
	} {
		text := strings.Replace(string(texts[0]), tt.old, tt.new, 1)
		if text == string(texts[0]) {
			t.Errorf("%s: the golden document has no %s", tt.why, tt.old)
			continue
		}
		if validate(t, s, []byte(text)) == nil {
			t.Errorf("%s: the schema accepts it", tt.why)
		}
	}
}

// TestSchemaOfNothing checks that lists that are nil in Go are written as the schema requires.
func TestSchemaOfNothing(t *testing.T) {
	s := compiled(t)
	empty := &Run{Scenarios: []Scenario{{Name: "idle", Series: []Series{{Name: "rss"}}, Distributions: []Distribution{{Name: "latency"}}}}}
	for _, run := range []*Run{{}, empty} {
		var b bytes.Buffer
		if err := Write(&b, run); err != nil {
			t.Fatal(err)
		}
		if err := validate(t, s, b.Bytes()); err != nil {
			t.Errorf("%v\n%s", err, b.Bytes())
		}
	}
	if empty.Scenarios[0].Figures != nil || empty.Format != "" {
		t.Error("Write changed the run")
	}
}

// TestSchemaNamesAll checks that the schema describes every member of the types, requires those
// that are always written, and has no others.
func TestSchemaNamesAll(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	root := doc.(map[string]any)
	defs := root["$defs"].(map[string]any)
	at := func(object any, path ...string) map[string]any {
		for _, p := range path {
			object = object.(map[string]any)[p]
		}
		return object.(map[string]any)
	}
	for _, tt := range []struct {
		of     any
		object map[string]any
	}{
		{Run{}, root},
		{Tool{}, at(root, "properties", "tool")},
		{Machine{}, at(root, "properties", "machine")},
		{Server{}, at(root, "properties", "server")},
		{Scenario{}, at(defs, "scenario")},
		{Param{}, at(defs, "scenario", "properties", "params", "items")},
		{Figure{}, at(defs, "figure")},
		{Series{}, at(defs, "series")},
		{Distribution{}, at(defs, "distribution")},
		{Finding{}, at(defs, "finding")},
	} {
		var all, always []string
		typ := reflect.TypeOf(tt.of)
		for i := range typ.NumField() {
			name, options, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			all = append(all, name)
			if options == "" {
				always = append(always, name)
			}
		}
		var named, required []string
		for name := range tt.object["properties"].(map[string]any) {
			named = append(named, name)
		}
		for _, name := range tt.object["required"].([]any) {
			required = append(required, name.(string))
		}
		for _, list := range [][]string{all, always, named, required} {
			slices.Sort(list)
		}
		if !slices.Equal(all, named) || !slices.Equal(always, required) {
			t.Errorf("%s: members %v, in the schema %v; always %v, in the schema %v", typ.Name(), all, named, always, required)
		}
	}
}
