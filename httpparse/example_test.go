package httpparse_test

import (
	"errors"
	"fmt"

	"github.com/mooring-mcp/mooring/httpparse"
)

// A server keeps what has arrived in a buffer and parses whenever it grows.
func Example() {
	arriving := []string{
		"POST /mcp?trace=1 HTTP/1.1\r\nHost: localhost:80",
		"80\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"a\"",
		"\r\n3\r\n:1}\r\n0\r\n\r\nGET /",
	}
	var (
		req  httpparse.Request
		dec  httpparse.BodyDecoder
		buf  []byte
		seen int
	)
	for {
		n, err := httpparse.ParseRequest(&req, buf, seen, nil)
		if err == httpparse.ErrIncomplete {
			seen = len(buf)
			buf = append(buf, arriving[0]...)
			arriving = arriving[1:]
			continue
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s %s on %s, query %s, %s\n", req.Method, req.Path, req.Host, req.Query, req.ContentType)
		dec.Reset(&req, nil)
		buf = buf[n:]
		break
	}
	var body []byte
	for {
		out, n, done, err := dec.Append(body, buf)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, buf = out, buf[n:]
		if done {
			break
		}
		buf = append(buf, arriving[0]...)
		arriving = arriving[1:]
	}
	fmt.Printf("%s, then %q of the next request\n", body, buf)
	// Output:
	// POST /mcp on localhost:8080, query trace=1, application/json
	// {"a":1}, then "GET /" of the next request
}

// A refusal has the status of the response.
func ExampleError() {
	head := "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
	var req httpparse.Request
	_, err := httpparse.ParseRequest(&req, []byte(head), 0, nil)
	var refused *httpparse.Error
	if errors.As(err, &refused) {
		fmt.Println(refused.Status, refused.Reason)
	}
	// Output: 400 both Content-Length and Transfer-Encoding
}

func ExampleRequest_Fields() {
	head := "GET / HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\nAccept: application/json\r\n\r\n"
	var req httpparse.Request
	if _, err := httpparse.ParseRequest(&req, []byte(head), 0, nil); err != nil {
		fmt.Println(err)
		return
	}
	for name, value := range req.Fields() {
		fmt.Printf("%s = %s\n", name, value)
	}
	// Output:
	// Host = a
	// Accept = text/event-stream
	// Accept = application/json
}
