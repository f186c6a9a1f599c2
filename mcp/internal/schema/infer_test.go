package schema

import (
	"reflect"
	"testing"
)

func TestInfer(t *testing.T) {
	type inner struct {
		Lat float64 `json:"lat"`
	}
	type in struct {
		City string   `json:"city" jsonschema:"city name, for example Oslo"`
		Days int      `json:"days,omitempty"`
		Tags []string `json:"tags,omitempty"`
		At   *inner   `json:"at,omitempty"`
	}
	const want = `{"type":"object","properties":{"city":{"type":"string","description":"city name, for example Oslo"},"days":{"type":"integer"},"tags":{"type":["null","array"],"items":{"type":"string"}},"at":{"type":["null","object"],"properties":{"lat":{"type":"number"}},"required":["lat"],"additionalProperties":false}},"required":["city"],"additionalProperties":false}`
	for _, typ := range []reflect.Type{reflect.TypeFor[in](), reflect.TypeFor[*in]()} {
		for range 10 {
			got, err := Infer(typ)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != want {
				t.Fatalf("Infer(%v)\n got %s\nwant %s", typ, got, want)
			}
		}
		if _, err := Compile([]byte(want)); err != nil {
			t.Errorf("the inferred schema does not compile: %v", err)
		}
	}
}

func TestInferRefuses(t *testing.T) {
	type cyclic struct{ Next *cyclic }
	for _, typ := range []reflect.Type{nil, reflect.TypeFor[func()](), reflect.TypeFor[struct{ C chan int }](), reflect.TypeFor[cyclic]()} {
		if got, err := Infer(typ); err == nil {
			t.Errorf("Infer(%v) = %s, want an error", typ, got)
		}
	}
}
