package main

import (
	"bytes"
	"strconv"
)

// request holds what is looked for in a request. It points into the bytes that were parsed.
type request struct {
	method string // GET, POST or DELETE
	path   []byte
	modern bool   // its head says 2026-07-28
	id     []byte // the id as it is in the message; nil in a notification
	body   []byte
}

// Limits of what parse waits for.
const (
	maxHead = 64 << 10
	maxBody = 4 << 20
)

var (
	endOfHead     = []byte("\r\n\r\n")
	endOfLine     = []byte("\r\n")
	contentLength = []byte("content-length:")
	version       = []byte("mcp-protocol-version:")
	modern        = []byte("2026-07-28")
	idKey         = []byte(`"id":`)
)

// parse parses the request that b begins with. It returns its length, 0 if more must arrive, or -1
// if it is not a request that is served here.
func parse(b []byte) (req request, n int) {
	head := bytes.Index(b, endOfHead)
	if head < 0 {
		if len(b) > maxHead {
			return req, -1
		}
		return req, 0
	}
	line, fields, _ := bytes.Cut(b[:head], endOfLine)
	method, rest, _ := bytes.Cut(line, []byte{' '})
	switch string(method) {
	case "GET":
		req.method = "GET"
	case "POST":
		req.method = "POST"
	case "DELETE":
		req.method = "DELETE"
	default:
		return req, -1
	}
	req.path, _, _ = bytes.Cut(rest, []byte{' '})
	length := 0
	for len(fields) > 0 {
		var field []byte
		field, fields, _ = bytes.Cut(fields, endOfLine)
		if value, ok := valueOf(field, contentLength); ok {
			var err error
			if length, err = strconv.Atoi(string(value)); err != nil || length < 0 || length > maxBody {
				return req, -1
			}
		} else if value, ok := valueOf(field, version); ok {
			req.modern = bytes.Equal(value, modern)
		}
	}
	n = head + len(endOfHead) + length
	if len(b) < n {
		return req, 0
	}
	req.body = b[n-length : n]
	req.id = idOf(req.body)
	return req, n
}

// valueOf returns the value of field if its name, with the colon and in lower case, is name.
func valueOf(field, name []byte) ([]byte, bool) {
	if len(field) < len(name) || field[0]|0x20 != name[0] || !bytes.EqualFold(field[:len(name)], name) {
		return nil, false
	}
	return bytes.TrimSpace(field[len(name):]), true
}

// idOf returns the first number or string after "id":, which is the message's id if the client
// writes it before params.
func idOf(body []byte) []byte {
	i := bytes.Index(body, idKey)
	if i < 0 {
		return nil
	}
	id := bytes.TrimLeft(body[i+len(idKey):], " ")
	if len(id) > 0 && id[0] == '"' {
		if end := bytes.IndexByte(id[1:], '"'); end >= 0 {
			return id[:end+2]
		}
		return nil
	}
	end := 0
	for end < len(id) && '0' <= id[end] && id[end] <= '9' {
		end++
	}
	if end == 0 {
		return nil
	}
	return id[:end]
}
