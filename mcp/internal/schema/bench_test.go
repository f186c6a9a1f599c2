package schema

import (
	"reflect"
	"testing"
)

type addIn struct{ A, B int }

type place3 struct {
	Lat float64 `json:"lat"`
	Lon float64 `json:"lon"`
}

type nestedIn struct {
	City  string            `json:"city" jsonschema:"city name"`
	Days  int               `json:"days,omitempty"`
	At    place3            `json:"at"`
	Tags  []string          `json:"tags"`
	Extra map[string]string `json:"extra,omitempty"`
	Deep  bool              `json:"deep"`
}

const (
	addValue    = `{"A":1,"B":2}`
	nestedValue = `{"city":"Oslo","days":7,"at":{"lat":59.9139,"lon":10.7522},"tags":["forecast","temperature","wind"],"extra":{"unit":"celsius","language":"nb-NO","source":"met.no, Blindern station"},"deep":true}`
)

func inferred[T any](t testing.TB) *Schema {
	t.Helper()
	text, err := Infer(reflect.TypeFor[T]())
	if err != nil {
		t.Fatal(err)
	}
	return mustCompile(t, string(text))
}

func BenchmarkValidate(b *testing.B) {
	for _, bb := range []struct {
		name  string
		s     *Schema
		value string
	}{
		{"add", inferred[addIn](b), addValue},
		{"nested", inferred[nestedIn](b), nestedValue},
	} {
		value := []byte(bb.value)
		b.Run(bb.name+"/fast", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(value)))
			for b.Loop() {
				if err := bb.s.Validate(value); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(bb.name+"/judge", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := bb.s.ask(value); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
