package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp/internal/schema"
)

type (
	goBytes    []byte
	goValText  struct{ n int }
	goPtrText  struct{ n int }
	goValJSON  struct{ N int }
	goPtrJSON  struct{ N int }
	goOnlyText struct{ N int } // written as a text and read as an object
	goInner    struct{ A int }
	goTree     struct{ Kids []goTree }
	goPair     struct {
		goInner
		B string `json:"b,omitempty"`
	}
	goEmbedPtr struct {
		*GoOuter
		C int
	}
	GoOuter struct{ A int }
)

func (v goValText) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "t%d", v.n), nil }
func (v *goValText) UnmarshalText(b []byte) error {
	_, err := fmt.Sscanf(string(b), "t%d", &v.n)
	return err
}
func (v *goPtrText) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "t%d", v.n), nil }
func (v *goPtrText) UnmarshalText(b []byte) error {
	_, err := fmt.Sscanf(string(b), "t%d", &v.n)
	return err
}
func (v goValJSON) MarshalJSON() ([]byte, error)  { return fmt.Appendf(nil, "[%d]", v.N), nil }
func (v *goValJSON) UnmarshalJSON([]byte) error   { return nil }
func (v *goPtrJSON) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, "[%d]", v.N), nil }
func (v *goPtrJSON) UnmarshalJSON([]byte) error   { return nil }
func (v goOnlyText) MarshalText() ([]byte, error) { return []byte("text"), nil }

// checkType checks what the codec reads and writes for a T, in four places, against the inferred
// schemas. It writes each of values and validates the text, and it validates and reads each of
// texts.
func checkType[T any](t *testing.T, values []T, texts []string) {
	t.Helper()
	type holder struct {
		V T
		P *T           `json:",omitempty"`
		L []T          `json:",omitempty"`
		M map[string]T `json:",omitempty"`
	}
	typ := reflect.TypeFor[holder]()
	compile := func(infer func(reflect.Type) ([]byte, error)) *schema.Schema {
		text, err := infer(typ)
		if err != nil {
			t.Fatalf("%v: %v", reflect.TypeFor[T](), err)
		}
		s, err := schema.Compile(text)
		if err != nil {
			t.Fatalf("%v: %s: %v", reflect.TypeFor[T](), text, err)
		}
		return s
	}
	reads, writes := compile(schema.Infer), compile(schema.InferOutput)
	var zero T
	for _, v := range append(values, zero) {
		for _, h := range []any{holder{V: v}, &holder{V: v}, holder{v, &v, []T{v}, map[string]T{"a": v}}, &holder{v, &v, []T{v}, map[string]T{"a": v}}} {
			text, err := marshal(h)
			if err != nil {
				t.Errorf("%v: %v", reflect.TypeFor[T](), err)
				continue
			}
			if err := writes.Validate(text); err != nil {
				t.Errorf("%v writes %s, which its schema refuses: %v", reflect.TypeFor[T](), text, err)
			}
		}
	}
	for _, text := range texts {
		whole := fmt.Sprintf(`{"V":%s,"P":%[1]s,"L":[%[1]s],"M":{"a":%[1]s}}`, text)
		if err := reads.Validate([]byte(whole)); err != nil {
			t.Errorf("%v: %s is refused: %v", reflect.TypeFor[T](), text, err)
		}
		var h holder
		if err := decodeArguments([]byte(whole), &h); err != nil {
			t.Errorf("%v: %s passes the schema, but: %v", reflect.TypeFor[T](), text, err)
		}
	}
}

// TestGoTypes has a table of Go types. It writes, reads, describes and validates each.
func TestGoTypes(t *testing.T) {
	addr := netip.MustParseAddr("10.0.0.1")
	raw := json.RawMessage(`[1,{}]`)
	checkType(t, [][]byte{{1, 2}, {}}, []string{`"AQI="`, `""`, `null`})
	checkType(t, []goBytes{{1}}, []string{`"AQ=="`})
	checkType(t, [][3]byte{{1, 2, 3}}, []string{`[1,2,3]`})
	checkType(t, []json.RawMessage{raw, json.RawMessage(`1`)}, []string{`{"a":[1]}`, `1`, `"x"`, `null`})
	checkType(t, []*json.RawMessage{&raw}, []string{`{"a":1}`, `null`, `true`})
	checkType(t, []netip.Addr{addr}, []string{`"10.0.0.1"`, `"::1"`, `""`})
	checkType(t, []*netip.Addr{&addr}, []string{`"10.0.0.1"`, `null`})
	checkType(t, []time.Time{time.Unix(1, 0).UTC()}, []string{`"2026-01-02T03:04:05Z"`})
	checkType(t, []time.Duration{time.Second}, []string{`5`, `1.0`, `1e2`})
	checkType(t, []big.Int{*big.NewInt(7)}, []string{`12345678901234567890123`})
	checkType(t, []*big.Int{big.NewInt(7)}, []string{`12345678901234567890123`, `1.0`, `null`})
	checkType(t, []*big.Rat{big.NewRat(1, 3)}, []string{`"1/3"`, `null`})
	checkType(t, []*big.Float{big.NewFloat(1.5)}, []string{`"1.5"`, `null`})
	checkType(t, []json.Number{"1.5", "12345678901234567890"}, []string{`1`, `1.50`, `1e5`})
	checkType(t, []slog.Level{slog.LevelWarn}, []string{`"WARN"`})
	checkType(t, []goValText{{3}}, []string{`"t4"`})
	checkType(t, []goPtrText{{3}}, []string{`"t4"`})
	checkType(t, []*goPtrText{{3}}, []string{`"t4"`, `null`})
	checkType(t, []goValJSON{{3}}, []string{`[1]`, `{}`, `null`})
	checkType(t, []goPtrJSON{{3}}, []string{`[1]`, `"x"`})
	checkType(t, []goOnlyText{{3}}, []string{`{"N":1}`})
	checkType(t, []goPair{{goInner{1}, ""}}, []string{`{"A":1}`, `{"A":1.0,"b":"x"}`})
	checkType(t, []goEmbedPtr{{nil, 1}, {&GoOuter{2}, 3}}, []string{`{"A":1,"C":2}`})
	checkType(t, []map[int]string{{-1: "a"}}, []string{`{"-5":"x"}`, `null`})
	checkType(t, []map[goValText]int{{{1}: 2}}, []string{`{"t5":1.0}`})
	checkType(t, []map[string][]map[string]*int{{"a": {nil}}}, []string{`{"a":[{"b":1.0},null]}`})
	checkType(t, []uint64{1<<64 - 1}, []string{`18446744073709551615`, `1e19`})
	checkType(t, []int8{-128}, []string{`127`, `-1.0`, `1e2`})
	checkType(t, []any{1, "x", nil, []int{1}}, []string{`{"a":null}`, `1e300`})
	checkType(t, []struct {
		I int      `json:",string"`
		F *float64 `json:",string"`
		B bool     `json:",string"`
		S string   `json:",string"`
		U uint8    `json:"u,string,omitempty"`
	}{{1, nil, true, "a\"b", 0}}, []string{`{"I":"1","F":"1.5","B":"true","S":"\"x\""}`, `{"I":"-1","F":null,"B":"false","S":"\"\"","u":"7"}`})
	checkType(t, []struct {
		T time.Time `json:",omitzero"`
		M map[string]int
		S []string
		A [2]bool
	}{{}}, []string{`{"M":null,"S":null,"A":[true,false]}`})
}

// TestGoTypesRefused checks that the error for a type without a JSON form names the type and the
// field.
func TestGoTypesRefused(t *testing.T) {
	for _, tt := range []struct {
		typ  reflect.Type
		want string
	}{
		{reflect.TypeFor[struct{ C chan int }](), "C: the type chan int"},
		{reflect.TypeFor[struct{ F []func() }](), "F: the type func()"},
		{reflect.TypeFor[struct{ X complex64 }](), "X: the type complex64"},
		{reflect.TypeFor[struct{ M map[float64]int }](), "M: the type map[float64]int"},
		{reflect.TypeFor[struct{ M map[struct{ A int }]int }](), "M: the type map[struct"},
		{reflect.TypeFor[struct{ E fmt.Stringer }](), "E: nothing can be read into the interface fmt.Stringer"},
		{reflect.TypeFor[struct{ T goTree }](), "mcp.goTree"},
	} {
		if _, err := schema.Infer(tt.typ); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want %q", tt.typ, err, tt.want)
		}
	}
	defer func() {
		if text := fmt.Sprint(recover()); !strings.Contains(text, `"t"`) || !strings.Contains(text, "chan int") {
			t.Errorf("AddTool panics with %q", text)
		}
	}()
	AddTool(NewServer(&Implementation{Name: "s", Version: "1"}, nil), &Tool{Name: "t"},
		func(context.Context, *CallToolRequest, struct{ C chan int }) (*CallToolResult, any, error) {
			return nil, nil, nil
		})
}
