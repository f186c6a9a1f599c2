package sse

import (
	"bytes"
	"strings"
	"testing"
)

type benchCase struct {
	name string
	data []byte
}

func benchData() []benchCase {
	return []benchCase{
		{"result180", []byte(`{"jsonrpc":"2.0","id":12345,"result":{"resultType":"complete","content":[{"type":"text","text":"` + strings.Repeat("x", 70) + `"}],"isError":false}}`)},
		{"quotes180", []byte(`{"jsonrpc":"2.0","id":12345,"result":{"resultType":"complete","content":[{"type":"text","text":"` + strings.Repeat("it’s ", 10) + `"}],"isError":false}}`)},
		{"lines180", []byte("{\n  \"jsonrpc\": \"2.0\",\n  \"id\": 12345,\n  \"result\": {\n    \"content\": [{\"type\": \"text\", \"text\": \"" + strings.Repeat("x", 70) + "\"}]\n  }\n}")},
		{"text64K", bytes.Repeat([]byte("The quick brown fox jumps over. "), 2048)},
		{"quotes64K", bytes.Repeat([]byte("It’s the quick brown fox’s dog "), 2000)},
	}
}

func BenchmarkAppendData(b *testing.B) {
	for _, bt := range benchData() {
		b.Run(bt.name, func(b *testing.B) {
			dst := make([]byte, 0, 2*len(bt.data)+64)
			b.SetBytes(int64(len(bt.data)))
			b.ReportAllocs()
			for b.Loop() {
				dst = AppendData(dst[:0], bt.data)
			}
		})
	}
}

func BenchmarkAppendComment(b *testing.B) {
	dst := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendComment(dst[:0], "")
	}
}

// count feeds the stream in pieces and counts the events.
func count(d *Decoder, stream []byte, piece int) (n int) {
	for len(stream) > 0 {
		cut := min(piece, len(stream))
		for range d.Decode(stream[:cut]) {
			n++
		}
		stream = stream[cut:]
	}
	return n
}

func BenchmarkDecode(b *testing.B) {
	run := func(name string, stream []byte, piece, events int) {
		b.Run(name, func(b *testing.B) {
			var d Decoder
			b.SetBytes(int64(len(stream)))
			b.ReportAllocs()
			for b.Loop() {
				if n := count(&d, stream, piece); n != events {
					b.Fatalf("%d events, want %d", n, events)
				}
			}
		})
	}
	data := benchData()
	one := AppendData(nil, data[0].data)
	run("one", one, len(one), 1)
	run("hundred", bytes.Repeat(one, 100), 100*len(one), 100)
	run("singleBytes", one, 1, 1)
	run("text64K", AppendData(nil, data[3].data), 16<<10, 1)
	// This mix of line ends would be quadratic if each were searched for from the
	// beginning: one LF far away after many CRs.
	run("crs64K", append(bytes.Repeat([]byte("\r"), 64<<10), "data: 1\n\n"...), 1<<20, 1)
}
