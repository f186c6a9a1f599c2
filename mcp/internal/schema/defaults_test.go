package schema

import "testing"

func TestApplyDefaults(t *testing.T) {
	tests := []struct{ schema, value, want string }{
		{`{"properties":{"a":{"default":1}}}`, `{}`, `{"a":1}`},
		{`{"properties":{"a":{"default":1}}}`, ` { } `, ` {"a":1 } `},
		{`{"properties":{"a":{"default":1}}}`, `{"b":2}`, `{"b":2,"a":1}`},
		{`{"properties":{"a":{"default":1}}}`, `{"b" : [1, {"a":2}] }`, `{"b" : [1, {"a":2}],"a":1 }`},
		{`{"properties":{"a":{"default":1}}}`, `{"a":null}`, ``},
		{`{"properties":{"a":{"default":1}}}`, `{"\u0061":7}`, ``},
		{`{"properties":{"a":{"default":1}}}`, `[]`, ``},
		{`{"properties":{"a":{"default":1}}}`, `3`, ``},
		{`{"properties":{"a":{"type":"integer"}}}`, `{}`, ``},
		{`{"properties":{"a":{"default":1}},"required":["a"]}`, `{}`, ``},
		{`{"properties":{"b":{"default":"<&>"},"a":{"default":12345678901234567890}}}`, `{"c":0}`, `{"c":0,"a":12345678901234567890,"b":"<&>"}`},
		{`{"properties":{"o":{"properties":{"x":{"default":[]}}}}}`, `{"o":{},"p":1}`, `{"o":{"x":[]},"p":1}`},
		{`{"properties":{"o":{"properties":{"x":{"default":[]}}}}}`, `{}`, ``},
		{`{"properties":{"o":{"type":"object","properties":{"x":{"default":[]}}}}}`, `{}`, `{"o":{"x":[]}}`},
		{`{"properties":{"o":{"type":"object","required":["y"],"properties":{"x":{"default":[]}}}}}`, `{}`, ``},
		{`{"properties":{"o":{"default":{"y":1},"properties":{"x":{"default":2}}}}}`, `{}`, `{"o":{"y":1,"x":2}}`},
		{`{"properties":{"a\"b":{"default":1}}}`, `{"a\"b":2}`, ``},
		{`{"properties":{"a\"b":{"default":1}}}`, `{}`, `{"a\"b":1}`},
		{`true`, `{}`, ``},
	}
	for _, tt := range tests {
		s, err := Compile([]byte(tt.schema))
		if err != nil {
			t.Fatalf("%s: %v", tt.schema, err)
		}
		got, changed := s.ApplyDefaults([]byte("x"), []byte(tt.value))
		want := "x" + tt.want
		if tt.want == "" {
			want = tt.value
		}
		if string(got) != want || changed != (tt.want != "") {
			t.Errorf("ApplyDefaults(%s) to %s = %s, %v, want %s", tt.schema, tt.value, got, changed, want)
		}
	}
}
