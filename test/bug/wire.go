package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// The messages of one session, as a client of 2025-06-18 sends them.
const (
	initializeBody  = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"bug","version":"1.0.0"}}}`
	initializedBody = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
	callBody        = `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{"text":"ahoy"}}}`
)

const answered = `"text":"ahoy"` // part of the call's answer

// appendPost appends a POST of body. session is nil before there is one.
func appendPost(dst []byte, host, body string, session []byte) []byte {
	dst = append(dst, "POST /mcp HTTP/1.1\r\nHost: "...)
	dst = append(dst, host...)
	dst = append(dst, "\r\nUser-Agent: bug/1.0\r\nAccept: application/json, text/event-stream\r\nContent-Type: application/json\r\n"...)
	dst = appendSession(dst, session)
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	dst = append(dst, "\r\n\r\n"...)
	return append(dst, body...)
}

// appendGet appends the GET that opens a session's stream.
func appendGet(dst []byte, host string, session []byte) []byte {
	dst = append(dst, "GET /mcp HTTP/1.1\r\nHost: "...)
	dst = append(dst, host...)
	dst = append(dst, "\r\nUser-Agent: bug/1.0\r\nAccept: text/event-stream\r\n"...)
	dst = appendSession(dst, session)
	return append(dst, "\r\n"...)
}

func appendSession(dst, session []byte) []byte {
	if session == nil {
		return dst
	}
	dst = append(dst, "MCP-Protocol-Version: 2025-06-18\r\nMcp-Session-Id: "...)
	dst = append(dst, session...)
	return append(dst, "\r\n"...)
}

// A response is one HTTP response. Its slices are valid until the next one is read into it.
type response struct {
	status  int
	session []byte // of Mcp-Session-Id
	body    []byte
}

// read reads a response. Of an event stream in answer to a GET (stream is true) it reads only the
// head.
func (r *response) read(br *bufio.Reader, stream bool) error {
	r.status, r.session, r.body = 0, r.session[:0], r.body[:0]
	length, chunked := int64(0), false
	for first := true; ; first = false {
		line, err := br.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("head: %w", err)
		}
		line = bytes.TrimRight(line, "\r\n")
		if first {
			if len(line) < len("HTTP/1.1 200") {
				return fmt.Errorf("status line %q", line)
			}
			if r.status, err = strconv.Atoi(string(line[9:12])); err != nil {
				return fmt.Errorf("status line %q", line)
			}
			continue
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Mcp-Session-Id")):
			r.session = append(r.session, value...)
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.ParseInt(string(value), 10, 32); err != nil {
				return fmt.Errorf("content length %q", value)
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		}
	}
	if stream && r.status == 200 {
		return nil
	}
	if !chunked {
		return r.content(br, length)
	}
	for {
		line, err := br.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("chunk: %w", err)
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return fmt.Errorf("chunk size %q", line)
		}
		if err := r.content(br, size); err != nil {
			return err
		}
		if _, err := br.Discard(len("\r\n")); err != nil {
			return fmt.Errorf("chunk: %w", err)
		}
		if size == 0 {
			return nil
		}
	}
}

// content appends n bytes to the body.
func (r *response) content(br *bufio.Reader, n int64) error {
	have := len(r.body)
	r.body = append(r.body, make([]byte, n)...)
	if _, err := io.ReadFull(br, r.body[have:]); err != nil {
		return fmt.Errorf("content: %w", err)
	}
	return nil
}
