// Package compare compares the cost of this module's parts with that of others for the same work.
// It is a module of its own, so that the others do not become dependencies of the library.
package compare

import (
	"bufio"
	"bytes"
	"net/http"
	"testing"

	"github.com/mooring-mcp/mooring/httpparse"
	"github.com/valyala/fasthttp"
)

// head is a request as MCP clients send it: 12 field lines, 478 octets.
const head = "POST /mcp HTTP/1.1\r\n" +
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

// BenchmarkHead parses the same head with each parser. Each gets its bytes in the cheapest way that
// it accepts, and reuses what it can.
func BenchmarkHead(b *testing.B) {
	data := []byte(head)
	if len(data) != 478 {
		b.Fatalf("the head has %d octets, want 478", len(data))
	}

	b.Run("mooring", func(b *testing.B) {
		var r httpparse.Request
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := httpparse.ParseRequest(&r, data, 0, nil); err != nil {
				b.Fatal(err)
			}
		}
	})

	b.Run("fasthttp", func(b *testing.B) {
		var h fasthttp.RequestHeader
		src := bytes.NewReader(data)
		br := bufio.NewReader(src)
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			src.Reset(data)
			br.Reset(src)
			if err := h.Read(br); err != nil {
				b.Fatal(err)
			}
		}
	})

	b.Run("nethttp", func(b *testing.B) {
		src := bytes.NewReader(data)
		br := bufio.NewReader(src)
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			src.Reset(data)
			br.Reset(src)
			if _, err := http.ReadRequest(br); err != nil {
				b.Fatal(err)
			}
		}
	})
}
