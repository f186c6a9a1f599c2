package schema

import "testing"

// The table has the verdict for each keyword of the fast path's subset. The judge
// must agree with it.
func TestKeywords(t *testing.T) {
	type tc struct {
		value string
		want  verdict
	}
	tests := []struct {
		schema string
		cases  []tc
	}{
		{`true`, []tc{{`1`, yes}, {`{"a":[]}`, yes}}},
		{`false`, []tc{{`1`, no}, {`{}`, no}, {`null`, no}}},
		{`{"title":"t","description":"d","default":1,"examples":[1],"deprecated":true,"readOnly":true,"$comment":"c","format":"email","x-any":{"y":1}}`, []tc{{`"no mail"`, yes}, {`[1,{"a":"\u0000"}]`, yes}}},
		{`{"type":"null"}`, []tc{{`null`, yes}, {`0`, no}, {`""`, no}, {`false`, no}}},
		{`{"type":"boolean"}`, []tc{{`true`, yes}, {`false`, yes}, {`null`, no}, {`"true"`, no}}},
		{`{"type":"string"}`, []tc{{`""`, yes}, {`"a\"b\\"`, yes}, {`1`, no}, {`["a"]`, no}}},
		{`{"type":"array"}`, []tc{{`[]`, yes}, {`[1,"]",{"a":[2]}]`, yes}, {`{}`, no}}},
		{`{"type":"object"}`, []tc{{`{}`, yes}, {`{"a":{"b":"}"}}`, yes}, {`[]`, no}}},
		{`{"type":"number"}`, []tc{{`0`, yes}, {`-0.5e-3`, yes}, {`123456789012345678901234567890`, yes}, {`"1"`, no}, {`true`, no}}},
		{`{"type":"integer"}`, []tc{{`0`, yes}, {`-7`, yes}, {`1.0`, yes}, {`1e2`, yes}, {`1.50e1`, yes}, {`-0.0`, yes}, {`10e-1`, yes},
			{`1.5`, no}, {`1e-1`, no}, {`12345678901234567890123`, yes}, {`1234567890123456789.5`, unsure}, {`1e400`, yes}, {`"1"`, no}}},
		{`{"type":["integer","null"]}`, []tc{{`1`, yes}, {`null`, yes}, {`1.5`, no}, {`"x"`, no}}},
		{`{"type":["string","number"]}`, []tc{{`1.5`, yes}, {`"x"`, yes}, {`null`, no}}},
		{`{"enum":["a","é",1,2.50,null,true]}`, []tc{{`"a"`, yes}, {`"é"`, yes}, {`1.0`, yes}, {`10e-1`, yes}, {`2.5`, yes}, {`null`, yes}, {`true`, yes},
			{`false`, no}, {`"A"`, no}, {`2`, no}, {`{}`, no}, {`[]`, no}, {`"\u0061"`, unsure}}},
		{`{"enum":["a","b","c","d","e","f","g","h","i","j"]}`, []tc{{`"j"`, yes}, {`"k"`, no}, {`1`, no}}},
		{`{"const":false}`, []tc{{`false`, yes}, {`true`, no}, {`null`, no}, {`0`, no}}},
		{`{"const":null}`, []tc{{`null`, yes}, {`0`, no}}},
		{`{"const":0}`, []tc{{`0`, yes}, {`-0`, yes}, {`0.0e9`, yes}, {`false`, no}, {`1`, no}}},
		{`{"const":9007199254740993}`, []tc{{`9007199254740993`, yes}, {`9007199254740992`, no}, {`9007199254740993.0`, yes}}},
		{`{"minimum":-1.5}`, []tc{{`-1.5`, yes}, {`-1`, yes}, {`-1.50001`, no}, {`"x"`, yes}, {`-2`, no}, {`1e300`, yes}, {`-1e300`, no}}},
		{`{"maximum":300}`, []tc{{`300`, yes}, {`3e2`, yes}, {`300.000000001`, no}, {`299.9`, yes}, {`0`, yes}, {`-1e9`, yes}}},
		{`{"exclusiveMinimum":0,"exclusiveMaximum":1}`, []tc{{`0`, no}, {`1`, no}, {`1.0`, no}, {`0.5`, yes}, {`1e-300`, yes}, {`-0`, no}}},
		{`{"minimum":-9223372036854775808,"maximum":9223372036854775807}`, []tc{{`0`, yes}, {`-922337203685477580`, yes}, {`9223372036854775807`, unsure}, {`1e19`, no}}},
		{`{"multipleOf":3}`, []tc{{`9`, yes}, {`-9`, yes}, {`0`, yes}, {`10`, no}, {`1.5`, no}, {`3e2`, yes}, {`3e300`, unsure}}},
		{`{"multipleOf":0.01}`, []tc{{`19.99`, yes}, {`4.35`, yes}, {`0.005`, no}, {`1`, yes}}},
		{`{"minLength":2,"maxLength":3}`, []tc{{`"ab"`, yes}, {`"日本"`, yes}, {`"日"`, no}, {`"😀😀😀"`, yes}, {`"😀😀😀😀"`, no}, {`"\n\"x"`, yes}, {`"\n"`, no},
			{`"\ud83d\ude00"`, no}, {`"\uD83D\uDE00\ud83d\ude00"`, yes}, {`"\u00e9\u00e9\u00e9\u00e9"`, no}, {`"\ud83dA"`, yes}, {`7`, yes}}},
		{`{"pattern":"^[a-z]+$"}`, []tc{{`"abc"`, yes}, {`"aBc"`, no}, {`""`, no}, {`"\u0061"`, unsure}, {`1`, yes}}},
		{`{"minItems":1,"maxItems":2}`, []tc{{`[]`, no}, {`[ ]`, no}, {`[1]`, yes}, {`[1,2]`, yes}, {`[1,2,3]`, no}, {`{}`, yes}}},
		{`{"items":{"type":"integer"}}`, []tc{{`[]`, yes}, {`[1, 2 ,3]`, yes}, {`[1,"x"]`, no}, {`"x"`, yes}}},
		{`{"prefixItems":[{"type":"string"},{"type":"integer"}],"items":false}`, []tc{{`["a"]`, yes}, {`["a",1]`, yes}, {`["a",1,2]`, no}, {`[1]`, no}}},
		{`{"prefixItems":[{"type":"string"}]}`, []tc{{`["a",1,{}]`, yes}, {`[]`, yes}}},
		{`{"uniqueItems":true}`, []tc{{`[]`, yes}, {`[1]`, yes}, {`[1,1]`, unsure}, {`[1,2]`, unsure}}},
		{`{"properties":{"a":{"type":"string"},"b":false}}`, []tc{{`{}`, yes}, {`{"a":"x","c":1}`, yes}, {`{"a":1}`, no}, {`{"b":1}`, no}, {`[]`, yes}, {`{"\u0061":1}`, unsure}}},
		{`{"required":["a","b"]}`, []tc{{`{"b":1,"a":null}`, yes}, {`{"a":1}`, no}, {`{}`, no}, {`3`, yes}, {`{"ab":1}`, no}}},
		{`{"required":["a"],"additionalProperties":false}`, []tc{{`{"a":1}`, no}, {`{}`, no}}},
		{`{"properties":{"a":true},"additionalProperties":false}`, []tc{{`{"a":1}`, yes}, {`{"b":1}`, no}, {`{"A":1}`, no}, {`{}`, yes}}},
		{`{"required":["n"],"additionalProperties":{"type":"integer"}}`, []tc{{`{"n":1,"m":2}`, yes}, {`{"n":"x"}`, no}, {`{"n":1,"m":"x"}`, no}}},
		{`{"minProperties":1,"maxProperties":2}`, []tc{{`{}`, no}, {`{"a":1}`, yes}, {`{"a":1,"b":{},"c":3}`, no}, {`[]`, yes}}},
		{`{"properties":{"a":{},"b":{},"c":{},"d":{},"e":{},"f":{},"g":{},"h":{},"i":{"type":"null"}},"additionalProperties":false}`, []tc{{`{"i":null,"a":1}`, yes}, {`{"i":1}`, no}, {`{"j":1}`, no}}},
		{`{"properties":{"":{"type":"null"}},"required":[""]}`, []tc{{`{"":null}`, yes}, {`{"":1}`, no}, {`{}`, no}}},
		{`{"anyOf":[{"type":"string"},{"type":"integer","minimum":5}]}`, []tc{{`"x"`, yes}, {`5`, yes}, {`4`, no}, {`null`, no}}},
		{`{"oneOf":[{"type":"integer"},{"minimum":5}]}`, []tc{{`1`, yes}, {`5.5`, yes}, {`6`, no}, {`1.5`, no}}},
		{`{"allOf":[{"required":["a"]},{"properties":{"a":{"type":"null"}}}],"properties":{"a":{"title":"t"}}}`, []tc{{`{"a":null}`, yes}, {`{}`, no}, {`{"a":1}`, no}}},
		{`{"not":{"type":"string"}}`, []tc{{`1`, yes}, {`"x"`, no}}},
		{`{"if":{"required":["a"]},"then":{"required":["b"]},"else":{"required":["c"]}}`, []tc{{`{"a":1,"b":1}`, yes}, {`{"a":1}`, no}, {`{"c":1}`, yes}, {`{}`, no}}},
		{`{"if":{"type":"string"},"then":{"minLength":1}}`, []tc{{`""`, no}, {`1`, yes}, {`"x"`, yes}}},
		{`{"then":false}`, []tc{{`1`, yes}}},
		{`{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"type":"integer"}}}`, []tc{{`1`, yes}, {`"x"`, no}}},
		{`{"$ref":"#/$defs/a","minimum":2,"$defs":{"a":{"type":"integer"}}}`, []tc{{`2`, yes}, {`1`, no}, {`2.5`, no}}},
		{`{"$ref":"#here","$defs":{"a":{"$anchor":"here","type":"integer"}}}`, []tc{{`1`, yes}, {`"x"`, no}}},
		{`{"$id":"https://example.com/r","$ref":"a","$defs":{"x":{"$id":"a","type":"integer"}}}`, []tc{{`1`, yes}, {`"x"`, no}}},
		{`{"type":"object","properties":{"next":{"$ref":"#"},"v":{"type":"integer"}},"required":["v"]}`, []tc{{`{"v":1,"next":{"v":2,"next":{"v":3}}}`, yes}, {`{"v":1,"next":{"v":2,"next":{}}}`, no}}},
		{`{"properties":{"a/b":{"type":"integer"},"c~d":{"$ref":"#/properties/a~1b"}}}`, []tc{{`{"a/b":1,"c~d":2}`, yes}, {`{"c~d":"x"}`, no}}},
		{`{"$schema":"http://json-schema.org/draft-07/schema#","items":[{"type":"string"}],"additionalItems":false}`, []tc{{`["a"]`, yes}, {`["a",1]`, no}, {`[1]`, no}}},
		{`{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"$ref":"#/definitions/i","type":"string"}},"definitions":{"i":{"type":"integer"}}}`, []tc{{`{"a":1}`, yes}, {`{"a":"x"}`, no}}},
		{`{"$schema":"http://json-schema.org/draft-04/schema#","minimum":1,"exclusiveMinimum":true}`, []tc{{`1`, no}, {`1.1`, yes}}},
	}
	for _, tt := range tests {
		s := mustCompile(t, tt.schema)
		if !s.Fast() {
			t.Errorf("%s is outside of the subset", tt.schema)
			continue
		}
		for _, c := range tt.cases {
			for _, v := range []string{c.value, " \r\n\t" + c.value + "\n "} {
				if got := agree(t, s, tt.schema, v); got != c.want {
					t.Errorf("schema %s, value %q: verdict %d, want %d", tt.schema, v, got, c.want)
				}
				if err := s.Validate([]byte(v)); c.want != unsure && (err == nil) != (c.want == yes) {
					t.Errorf("schema %s, value %q: %v", tt.schema, v, err)
				}
			}
		}
	}
}

// The fast path leaves keywords outside of the subset to the judge. The cases
// resemble those of JSON-Schema-Test-Suite in the files of the same names.
func TestFallThrough(t *testing.T) {
	tests := []struct {
		schema    string
		good, bad []string
	}{
		{`{"patternProperties":{"^x-":{"type":"integer"}},"additionalProperties":false}`, []string{`{}`, `{"x-a":1}`}, []string{`{"x-a":"1"}`, `{"y":1}`}},
		{`{"propertyNames":{"maxLength":3}}`, []string{`{"abc":1}`, `[]`}, []string{`{"abcd":1}`}},
		{`{"contains":{"const":5}}`, []string{`[1,5]`, `{}`}, []string{`[1]`, `[]`}},
		{`{"contains":{"type":"integer"},"minContains":2,"maxContains":3}`, []string{`[1,2]`, `[1,"x",2,3]`}, []string{`[1]`, `[1,2,3,4]`}},
		{`{"contains":{"type":"integer"},"minContains":0}`, []string{`[]`, `["x"]`}, nil},
		{`{"dependentRequired":{"a":["b","c"]}}`, []string{`{}`, `{"a":1,"b":1,"c":1}`, `{"b":1}`}, []string{`{"a":1,"b":1}`}},
		{`{"dependentSchemas":{"a":{"minProperties":2}}}`, []string{`{"b":1}`, `{"a":1,"b":1}`}, []string{`{"a":1}`}},
		{`{"const":{"a":[1,2.0]}}`, []string{`{"a":[1.0,2]}`}, []string{`{"a":[2,1]}`, `{}`, `{"a":[1,2],"b":1}`}},
		{`{"enum":[[],{"a":1},6]}`, []string{`[]`, `6`, `{"a":1.0}`}, []string{`{}`, `[1]`, `7`}},
		{`{"uniqueItems":true}`, []string{`[1,2]`, `[[1],[2]]`, `[1,true]`, `["a","b"]`}, []string{`[1,1.0]`, `["a","\u0061"]`, `[{"a":1,"b":2},{"b":2,"a":1}]`}},
		{`{"properties":{"a":{}},"unevaluatedProperties":false}`, []string{`{"a":1}`}, []string{`{"b":1}`}},
		{`{"allOf":[{"properties":{"a":{}}}],"anyOf":[{"properties":{"b":{"const":1}},"required":["b"]},true],"unevaluatedProperties":false}`, []string{`{"a":1}`, `{"a":1,"b":1}`}, []string{`{"b":2}`, `{"c":1}`}},
		{`{"if":{"properties":{"k":{"const":1}},"required":["k"]},"then":{"properties":{"x":{}}},"unevaluatedProperties":false}`, []string{`{"k":1,"x":1}`, `{}`}, []string{`{"k":2}`, `{"x":1}`}},
		{`{"$ref":"#/$defs/base","properties":{"b":{}},"unevaluatedProperties":false,"$defs":{"base":{"properties":{"a":{}}}}}`, []string{`{"a":1,"b":1}`}, []string{`{"c":1}`}},
		{`{"prefixItems":[{}],"unevaluatedItems":false}`, []string{`[1]`}, []string{`[1,2]`}},
		{`{"contains":{"type":"string"},"unevaluatedItems":{"type":"integer"}}`, []string{`["a",1]`}, []string{`["a",null]`}},
		{`{"$id":"https://example.com/tree","$dynamicAnchor":"node","type":"object","properties":{"kids":{"type":"array","items":{"$dynamicRef":"#node"}}}}`, []string{`{"kids":[{"kids":[]}]}`}, []string{`{"kids":[1]}`, `{"kids":[{"kids":[1]}]}`}},
		{`{"$id":"https://example.com/strict","$dynamicAnchor":"node","$ref":"tree","unevaluatedProperties":false,"$defs":{"t":{"$id":"tree","$dynamicAnchor":"node","type":"object","properties":{"data":true,"kids":{"type":"array","items":{"$dynamicRef":"#node"}}}}}}`,
			[]string{`{"kids":[{"data":1}]}`}, []string{`{"kids":[{"daat":1}]}`, `{"daat":1}`}},
		{`{"$id":"https://example.com/l","$ref":"list","$defs":{"s":{"$dynamicAnchor":"item","type":"string"},"list":{"$id":"list","type":"array","items":{"$dynamicRef":"#item"},"$defs":{"any":{"$dynamicAnchor":"item"}}}}}`, []string{`["a"]`}, []string{`[1]`}},
		{`{"$schema":"https://json-schema.org/draft/2019-09/schema","$recursiveAnchor":true,"type":"object","additionalProperties":{"$recursiveRef":"#"}}`, []string{`{"a":{"b":{}}}`}, []string{`{"a":{"b":1}}`}},
		{`{"$schema":"http://json-schema.org/draft-07/schema#","dependencies":{"a":["b"],"c":{"required":["d"]}}}`, []string{`{"a":1,"b":1}`, `{"c":1,"d":1}`}, []string{`{"a":1}`, `{"c":1}`}},
		{`{"$schema":"http://json-schema.org/draft-07/schema#","format":"ipv4"}`, []string{`"10.0.0.1"`, `1`}, []string{`"10.0.0.256"`}},
		{`{"$ref":"https://json-schema.org/draft/2020-12/schema"}`, []string{`{"type":"string"}`, `true`}, []string{`{"type":"strnig"}`, `{"properties":{"a":{"minLength":-1}}}`}},
	}
	for _, tt := range tests {
		s := mustCompile(t, tt.schema)
		for _, v := range tt.good {
			if err := s.Validate([]byte(v)); err != nil {
				t.Errorf("schema %s, value %s: %v", tt.schema, v, err)
			}
		}
		for _, v := range tt.bad {
			if s.Validate([]byte(v)) == nil {
				t.Errorf("schema %s, value %s: valid", tt.schema, v)
			}
		}
		// A keyword deep within keeps the whole schema out of the subset,
		// except uniqueItems, about which the fast path is only unsure.
		if s.Fast() && tt.schema != `{"uniqueItems":true}` {
			t.Errorf("%s is in the subset", tt.schema)
		}
		if !s.Fast() && mustCompile(t, `{"$schema":"https://json-schema.org/draft/2020-12/schema","properties":{"p":{"contains":true}}}`).Fast() {
			t.Errorf("a nested keyword is overlooked")
		}
	}
}
