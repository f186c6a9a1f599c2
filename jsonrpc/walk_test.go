package jsonrpc

import (
	"slices"
	"testing"
)

func TestMembers(t *testing.T) {
	for in, want := range map[string][]string{
		`{}`:    nil,
		` { } `: nil,
		`{"a":1,"b":"x","c":[1,{"d":2}],"e":{"f":"}\""}}`:            {"a", "1", "b", `"x"`, "c", `[1,{"d":2}]`, "e", `{"f":"}\""}`},
		" {\n\"a\" : true ,\t\"b\\\"\\\\\" :\r-1.5e3 , \"\":null } ": {"a", "true", `b\"\\`, "-1.5e3", "", "null"},
		`[1]`: nil, `1`: nil, `"{"`: nil, ``: nil,
	} {
		var got []string
		for name, value := range Members([]byte(in)) {
			got = append(got, string(name), string(value))
		}
		if !slices.Equal(got, want) {
			t.Errorf("Members(%s) = %q, want %q", in, got, want)
		}
	}
}

func TestElements(t *testing.T) {
	for in, want := range map[string][]string{
		`[]`: nil, ` [ ] `: nil, `{"a":1}`: nil, ``: nil, `1`: nil,
		`[1,"a,]",[2,[3]],{"b":[4]},null]`: {"1", `"a,]"`, "[2,[3]]", `{"b":[4]}`, "null"},
		" [ 1 ,\n\"\\\\\"\t, {} ] ":        {"1", `"\\"`, "{}"},
	} {
		var got []string
		for value := range Elements([]byte(in)) {
			got = append(got, string(value))
		}
		if !slices.Equal(got, want) {
			t.Errorf("Elements(%s) = %q, want %q", in, got, want)
		}
	}
}

func TestMember(t *testing.T) {
	obj := []byte(`{"a":1,"\u0062":2,"c":{"d":3},"":4}`)
	for name, want := range map[string]string{"a": "1", "b": "2", "c": `{"d":3}`, "": "4"} {
		if got, ok := Member(obj, name); !ok || string(got) != want {
			t.Errorf("Member(%q) = %s, %v, want %s", name, got, ok, want)
		}
	}
	for _, name := range []string{"d", "A", `\u0062`, "aa", "x"} {
		if got, ok := Member(obj, name); ok || got != nil {
			t.Errorf("Member(%q) = %s, %v, want none", name, got, ok)
		}
	}
}

// A loop may be left at any iteration.
func TestWalkLeftEarly(t *testing.T) {
	for range Members([]byte(`{"a":1,"b":2}`)) {
		break
	}
	n := 0
	for range Elements([]byte(`[1,2,3]`)) {
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("%d turns, want 2", n)
	}
}

func TestIntValue(t *testing.T) {
	for in, want := range map[string]int64{
		"0": 0, "-0": 0, "7": 7, "-7": -7, "9223372036854775807": 1<<63 - 1, "-9223372036854775808": -1 << 63,
	} {
		if got, ok := IntValue([]byte(in)); !ok || got != want {
			t.Errorf("IntValue(%s) = %d, %v, want %d", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "-", "1.0", "1e2", "1E2", "9223372036854775808", "-9223372036854775809", "9999999999999999999", "10000000000000000000", `"1"`, "null", "{}", "[1]", "true"} {
		if got, ok := IntValue([]byte(in)); ok {
			t.Errorf("IntValue(%s) = %d, want none", in, got)
		}
	}
}

func TestStrings(t *testing.T) {
	for raw, want := range map[string]string{
		`""`: "", `"a"`: "a", `"\"\\\/\b\f\n\r\t"`: "\"\\/\b\f\n\r\t", `"\u00e9\u20AC"`: "é€", `"\ud83d\ude00!"`: "😀!", `"a\u0000"`: "a\x00", `"é"`: "é",
	} {
		if got, ok := StringValue([]byte(raw)); !ok || got != want {
			t.Errorf("StringValue(%s) = %q, %v, want %q", raw, got, ok, want)
		}
		for _, form := range []string{raw, raw[1 : len(raw)-1]} {
			if got := string(Unquote(nil, []byte(form))); got != want {
				t.Errorf("Unquote(%s) = %q, want %q", form, got, want)
			}
			if !EqualString([]byte(form), want) {
				t.Errorf("EqualString(%s, %q) = false", form, want)
			}
			for _, other := range []string{want + "a", "a" + want, "b", raw, raw[1:]} {
				if other != want && EqualString([]byte(form), other) {
					t.Errorf("EqualString(%s, %q) = true", form, other)
				}
			}
		}
	}
	for _, raw := range []string{``, `"`, `1`, `null`, `{}`, `[]`, `true`} {
		if s, ok := StringValue([]byte(raw)); ok {
			t.Errorf("StringValue(%s) = %q, want none", raw, s)
		}
	}
}

// Appending to a returned slice does not change the text after it.
func TestAppendToAliases(t *testing.T) {
	for _, seed := range mutationSeeds {
		data := []byte(seed)
		var m Envelope
		if err := m.Decode(data); err != nil {
			t.Fatal(err)
		}
		spoil := func(b []byte) { _ = append(b, "spoilt"...) }
		for _, b := range [][]byte{m.ID, m.Method, m.Params, m.Result, m.Error} {
			spoil(b)
			for name, value := range Members(b) {
				spoil(name)
				spoil(value)
				for e := range Elements(value) {
					spoil(e)
				}
			}
		}
		if string(data) != seed {
			t.Errorf("%s became %s", seed, data)
		}
	}
}
