package jsonrpc

import (
	"strings"
	"testing"

	gojson "github.com/goccy/go-json"
	"github.com/goccy/go-json/jsontext"
	jsonv2 "github.com/goccy/go-json/v2"
)

// benchTexts are texts that a server decodes all the time, and larger ones.
var benchTexts = []struct {
	name string
	text []byte
}{
	{"call190", []byte(`{"jsonrpc":"2.0","id":12345,"method":"tools/call","params":{"name":"get_weather","arguments":{"city":"Oslo","days":3,"units":"metric","verbose":true},"_meta":{"progressToken":"tok-1234567"}}}`)},
	{"modern", []byte(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"x","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`)},
	{"text4K", []byte(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"text":"` + strings.Repeat("The quick brown fox jumps.\\n", 145) + `"}}}`)},
	{"numbers4K", []byte(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"sum","arguments":{"values":[` + strings.Repeat("1234.5,-6e7,", 340) + `0]}}}`)},
}

func BenchmarkDecode(b *testing.B) {
	for _, bt := range benchTexts {
		b.Run(bt.name, func(b *testing.B) {
			var m Envelope
			b.SetBytes(int64(len(bt.text)))
			b.ReportAllocs()
			for b.Loop() {
				if err := m.Decode(bt.text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkGoJSON measures the road not taken: go-json's v2 with raw values, without
// the scan before it that the depth limit and the case of names would need. It also
// measures go-json's validity checks alone.
func BenchmarkGoJSON(b *testing.B) {
	type envelope struct {
		Version string         `json:"jsonrpc"`
		ID      jsontext.Value `json:"id"`
		Method  jsontext.Value `json:"method"`
		Params  jsontext.Value `json:"params"`
	}
	for _, bt := range benchTexts {
		b.Run("v2/"+bt.name, func(b *testing.B) {
			var env envelope
			b.SetBytes(int64(len(bt.text)))
			b.ReportAllocs()
			for b.Loop() {
				if err := jsonv2.Unmarshal(bt.text, &env); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("Valid/"+bt.name, func(b *testing.B) {
			b.SetBytes(int64(len(bt.text)))
			for b.Loop() {
				if !gojson.Valid(bt.text) {
					b.Fatal("not valid")
				}
			}
		})
		b.Run("IsValid/"+bt.name, func(b *testing.B) {
			b.SetBytes(int64(len(bt.text)))
			for b.Loop() {
				if !jsontext.Value(bt.text).IsValid() {
					b.Fatal("not valid")
				}
			}
		})
	}
}

// BenchmarkDistinctNames shows that the search for duplicate names is linear.
func BenchmarkDistinctNames(b *testing.B) {
	for _, n := range []int{16, 17, 100, 10_000, 400_000} {
		text := distinctNames(n)
		b.Run("", func(b *testing.B) {
			var m Envelope
			for b.Loop() {
				if err := m.Decode(text); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/name")
		})
	}
}

func BenchmarkMember(b *testing.B) {
	var m Envelope
	if err := m.Decode(benchTexts[1].text); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := Member(m.Params, "_meta"); !ok {
			b.Fatal("no _meta")
		}
	}
}

func BenchmarkAppendResult(b *testing.B) {
	result := []byte(`{"resultType":"complete","content":[{"type":"text","text":"hello"}]}`)
	dst := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendResult(dst[:0], []byte("12345"), result)
	}
}
