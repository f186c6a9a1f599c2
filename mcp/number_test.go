package mcp

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// numberText returns a random number literal.
func numberText(r *rand.Rand) string {
	digits := func(n int) string {
		b := make([]byte, 1+r.IntN(n))
		for i := range b {
			b[i] = byte('0' + r.IntN(10))
		}
		return string(b)
	}
	s := strings.TrimLeft(digits(25), "0")
	if s == "" {
		s = "0"
	}
	if r.IntN(3) == 0 {
		s = "-" + s
	}
	if r.IntN(2) == 0 {
		s += "." + digits(25)
	}
	if r.IntN(3) == 0 {
		s += []string{"e", "E+", "e-"}[r.IntN(3)] + digits(4)
	}
	return s
}

// TestNumbersAreKept checks that a number is the same after it was read into an any and written
// again, in any place and from any writer.
func TestNumbersAreKept(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	texts := []string{"9007199254740993", "-0", "0.1", "1.0", "1e400", "-0.0e0", "1e-400", "5e-324", "1e2147483648"}
	for range 20_000 {
		texts = append(texts, numberText(r))
	}
	for _, text := range texts {
		var args struct {
			A any
			M map[string]any
			L []any
		}
		in := fmt.Sprintf(`{"A":%s,"M":{"x":[%[1]s]},"L":[%[1]s,{"y":%[1]s}]}`, text)
		if err := decodeArguments([]byte(in), &args); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for _, v := range []any{args.A, args.M["x"].([]any)[0], args.L[0], args.L[1].(map[string]any)["y"]} {
			out, err := marshal(v)
			if _, kept := v.(json.Number); err != nil || kept && string(out) != text || !kept && !sameNumber([]byte(text), out) {
				t.Fatalf("%s is written as %s (%T): %v", text, out, v, err)
			}
		}
	}
	const big = "9007199254740993"
	for _, tt := range []struct {
		why, in string
		into    any
	}{
		{"elicitation", `{"action":"accept","content":{"id":` + big + `}}`, new(ElicitResult)},
		{"sampling", `{"role":"assistant","model":"m","content":{"type":"tool_use","id":"i","name":"n","input":{"id":` + big + `}}}`, new(CreateMessageWithToolsResult)},
		{"result", `{"content":[],"structuredContent":{"id":` + big + `},"_meta":{"a":` + big + `}}`, new(CallToolResult)},
		{"responses", `{"k":{"action":"accept","content":{"id":` + big + `}}}`, new(InputResponseMap)},
	} {
		if err := json.Unmarshal([]byte(tt.in), tt.into); err != nil {
			t.Fatal(tt.why, err)
		}
		if out, err := marshal(tt.into); err != nil || strings.Count(string(out), big) != strings.Count(tt.in, big) {
			t.Errorf("%s: %s, %v", tt.why, out, err)
		}
	}
}

// TestDecodeFailures has a table of values that conform to a schema but cannot be decoded. The
// error says where the value is and what it must be, without terms of Go.
func TestDecodeFailures(t *testing.T) {
	type item struct {
		Count int64
		Small uint8 `json:",string"`
	}
	type in struct {
		Items []item
		M     map[int]*item
		F     float32
		B     []byte
		T     *goPtrText
		N     uint64
	}
	for _, tt := range [][2]string{
		{`{"Items":[{"Count":1.0},{"Count":1e19}]}`, "arguments.Items[1].Count must be an integer from -9223372036854775808 to 9223372036854775807"},
		{`{"Items":[{"Count":1e999999999}]}`, "arguments.Items[0].Count must be an integer"},
		{`{"Items":[{"Small":"256"}]}`, "arguments.Items[0].Small must be a string with an integer from 0 to 255"},
		{`{"M":{"1":{"Count":9223372036854775808}}}`, "arguments.M.1.Count must be an integer"},
		{`{"M":{"99999999999999999999":{}}}`, `arguments.M: the name "99999999999999999999" must be an integer`},
		{`{"F":1e39}`, "arguments.F must be a number in the range of 32-bit"},
		{`{"B":"*"}`, "arguments.B must be a string in base64"},
		{`{"T":"x"}`, "arguments.T must be a valid value"},
		{`{"N":-1}`, "arguments.N must be an integer from 0 to 18446744073709551615"},
		{`[]`, "arguments must be an object"},
	} {
		var v in
		err := decodeArguments([]byte(tt[0]), &v)
		if err == nil || !strings.HasPrefix(err.Error(), tt[1]) || strings.Contains(err.Error(), "Go ") || strings.Contains(err.Error(), "int64") {
			t.Errorf("%s: %v, want %q", tt[0], err, tt[1])
		}
		if !reflect.ValueOf(v).IsZero() && err == nil {
			t.Errorf("%s: %+v", tt[0], v)
		}
	}
}

// TestNilMapOutput checks that an output that is a nil map is written as an empty object.
func TestNilMapOutput(t *testing.T) {
	if text, err := marshalOutput(map[string]int(nil), zeroOutput[map[string]int](&Tool{})); err != nil || string(text) != "{}" {
		t.Errorf("a nil map is written as %s, %v", text, err)
	}
}

// A float64 writes every number that counts as plain as the same number.
func TestPlainNumbers(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringMatching(`-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,3})?`).Draw(rt, "number")
		in := []byte(`{"a\"1e5":["` + strings.Repeat("9", 20) + `",` + text + `],"b":true}`)
		f, err := strconv.ParseFloat(text, 64)
		same := err == nil && sameNumber([]byte(text), strconv.AppendFloat(nil, f, 'e', -1, 64))
		if onlyPlainNumbers(in) && !same {
			rt.Fatalf("%s passes for plain", text)
		}
		if digits := strings.Count(text, "") - 1; digits <= 15 && !strings.ContainsAny(text, "eE") && !onlyPlainNumbers(in) {
			rt.Fatalf("%s does not pass for plain", text)
		}
	})
}
