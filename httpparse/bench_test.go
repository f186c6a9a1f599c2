package httpparse

import (
	"strings"
	"testing"
)

// mcpHead is a typical request of an MCP client: 12 field lines, 478 octets.
const mcpHead = "POST /mcp HTTP/1.1\r\n" +
	"Host: mcp.example.com:8080\r\n" +
	"Connection: keep-alive\r\n" +
	"Content-Length: 190\r\n" +
	"User-Agent: typescript-mcp-client/2.4.0 node/24.1.0 linux\r\n" +
	"Accept: application/json, text/event-stream\r\n" +
	"Accept-Encoding: gzip, deflate, br\r\n" +
	"Accept-Language: en-GB,en;q=0.9,*;q=0.5\r\n" +
	"Authorization: Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ.c2lnbmF0dXJl\r\n" +
	"Content-Type: application/json\r\n" +
	"MCP-Protocol-Version: 2026-07-28\r\n" +
	"Mcp-Method: tools/call\r\n" +
	"Mcp-Name: get_weather_forecast\r\n\r\n"

func BenchmarkParseRequest(b *testing.B) {
	head := []byte(mcpHead)
	var r Request
	b.SetBytes(int64(len(head)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseRequest(&r, head, 0, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBodyDecoder(b *testing.B) {
	bench := func(name, head, body string) {
		b.Run(name, func(b *testing.B) {
			var r Request
			if _, err := ParseRequest(&r, []byte(head), 0, nil); err != nil {
				b.Fatal(err)
			}
			src := []byte(body)
			dst := make([]byte, 0, len(src))
			var d BodyDecoder
			b.SetBytes(int64(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				d.Reset(&r, nil)
				if _, _, done, err := d.Append(dst[:0], src); !done || err != nil {
					b.Fatal(done, err)
				}
			}
		})
	}
	bench("length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 190\r\n\r\n", strings.Repeat("x", 190))
	chunked := "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	bench("chunked", chunked, "be\r\n"+strings.Repeat("x", 190)+"\r\n0\r\n\r\n")
	bench("one-octet-chunks", chunked, strings.Repeat("1\r\nx\r\n", 1000)+"0\r\n\r\n")
}

func TestHeadLength(t *testing.T) {
	if len(mcpHead) != 478 {
		t.Errorf("the benchmark's head has %d octets, want the 478 its figures are for", len(mcpHead))
	}
	var r Request
	n, err := ParseRequest(&r, []byte(mcpHead), 0, nil)
	if n != len(mcpHead) || err != nil || r.NumField() != 12 {
		t.Errorf("ParseRequest: %d octets, %d fields, %v", n, r.NumField(), err)
	}
}
