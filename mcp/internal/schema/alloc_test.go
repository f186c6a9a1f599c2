package schema

import "testing"

func TestFastPathAllocatesNothing(t *testing.T) {
	many := mustCompile(t, `{"type":"object","properties":{"a":{"type":"string","pattern":"^[a-z]+$","minLength":2},"b":{"type":"number","multipleOf":0.5,"maximum":1e3},"c":{"enum":["x","y",1.0,null]},"d":{"anyOf":[{"type":"string"},{"type":"array","items":{"$ref":"#/$defs/i"}}]},"e":{},"f":{},"g":{},"h":{},"i":{},"j":{"default":1}},"required":["a"],"$defs":{"i":{"type":"integer"}}}`)
	plain := mustCompile(t, `{"properties":{"a":{"type":"string"}}}`)
	add, nested := inferred[addIn](t), inferred[nestedIn](t)
	for _, tt := range []struct {
		s     *Schema
		value string
	}{
		{add, addValue},
		{nested, nestedValue},
		{many, `{"a":"hello","b":1.50e1,"c":1,"d":[1,2,3.0],"e":{"deep":[1,{"x":"\n"}]},"j":2}`},
	} {
		if !tt.s.Fast() {
			t.Fatal("outside of the subset")
		}
		value := []byte(tt.value)
		if v := tt.s.fast.check(value); v != yes {
			t.Fatalf("%s: verdict %d", value, v)
		}
		if n := testing.AllocsPerRun(200, func() { tt.s.Validate(value) }); n != 0 {
			t.Errorf("Validate(%s) allocates %v times", value, n)
		}
	}
	value := []byte(`{"a":"x"}`)
	if n := testing.AllocsPerRun(200, func() { plain.ApplyDefaults(nil, value) }); n != 0 {
		t.Errorf("ApplyDefaults without defaults allocates %v times", n)
	}
}
