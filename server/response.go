package server

import (
	"net/http"
	"strconv"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// respHead is what varies in the head of a response.
type respHead struct {
	status     int
	date       string // IMF-fixdate
	close      bool   // Connection: close follows
	origin     []byte // an allowed Origin to be named to the browser
	allow      string // with 405
	retryAfter bool   // with 503
	session    []byte // of a new session
}

const (
	typeJSON  = "application/json"
	typePlain = "text/plain; charset=utf-8"
)

// appendStatus appends the status line and the fields that every response has.
func appendStatus(dst []byte, h *respHead) []byte {
	if h.status == 200 {
		dst = append(dst, "HTTP/1.1 200 OK\r\nDate: "...)
	} else {
		dst = append(dst, "HTTP/1.1 "...)
		dst = strconv.AppendInt(dst, int64(h.status), 10)
		dst = append(dst, ' ')
		dst = append(dst, http.StatusText(h.status)...)
		dst = append(dst, "\r\nDate: "...)
	}
	dst = append(dst, h.date...)
	if h.close {
		dst = append(dst, "\r\nConnection: close"...)
	}
	if h.allow != "" {
		dst = append(append(dst, "\r\nAllow: "...), h.allow...)
	}
	if h.retryAfter {
		dst = append(dst, "\r\nRetry-After: 1"...)
	}
	if h.session != nil {
		dst = append(append(dst, "\r\nMcp-Session-Id: "...), h.session...)
	}
	if h.origin != nil {
		dst = append(append(dst, "\r\nAccess-Control-Allow-Origin: "...), h.origin...)
		dst = append(dst, "\r\nAccess-Control-Expose-Headers: Mcp-Session-Id\r\nVary: Origin"...)
	}
	return dst
}

// appendHead appends the head of a response with n bytes of content. Without a content type there is no content.
func appendHead(dst []byte, h *respHead, contentType string, n int) []byte {
	dst = appendStatus(dst, h)
	if contentType != "" {
		dst = append(append(dst, "\r\nContent-Type: "...), contentType...)
	}
	// "A server MUST NOT send a Content-Length header field in any response with a status code of 1xx (Informational) or 204 (No Content)" (RFC 9110 section 8.6).
	if h.status != 204 {
		dst = append(dst, "\r\nContent-Length: "...)
		dst = strconv.AppendInt(dst, int64(n), 10)
	}
	return append(dst, "\r\n\r\n"...)
}

// appendStreamHead appends the head of a text/event-stream response. The X-Accel-Buffering field and no-transform keep proxies from holding events back.
func appendStreamHead(dst []byte, h *respHead, chunked bool) []byte {
	dst = appendStatus(dst, h)
	dst = append(dst, "\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache, no-transform\r\nX-Accel-Buffering: no"...)
	if chunked {
		dst = append(dst, "\r\nTransfer-Encoding: chunked"...)
	}
	return append(dst, "\r\n\r\n"...)
}

// appendPreflight appends the answer to a CORS preflight from an allowed origin.
func appendPreflight(dst []byte, h *respHead) []byte {
	dst = appendStatus(dst, h)
	return append(dst, "\r\nAccess-Control-Allow-Methods: GET, POST, DELETE\r\n"+
		"Access-Control-Allow-Headers: *, Authorization\r\n"+ // "*" covers Mcp-Param-*, whose names are the tools', but never Authorization
		"Access-Control-Max-Age: 7200\r\n\r\n"...)
}

// appendRefusal appends the answer to a request that was refused for its head or framing: a JSON-RPC error without id says why.
func appendRefusal(dst []byte, h *respHead, reason string) []byte {
	code := jsonrpc.CodeInvalidRequest
	if h.status >= 500 {
		code = jsonrpc.CodeInternalError
	}
	var scratch [256]byte
	body := jsonrpc.AppendError(scratch[:0], nil, &jsonrpc.Error{Code: code, Message: reason})
	dst = appendHead(dst, h, typeJSON, len(body))
	return append(dst, body...)
}

// appendChunk appends data as one chunk (RFC 9112 section 7.1); data must not be empty.
func appendChunk(dst, data []byte) []byte {
	dst = strconv.AppendUint(dst, uint64(len(data)), 16)
	dst = append(dst, "\r\n"...)
	dst = append(dst, data...)
	return append(dst, "\r\n"...)
}

const (
	lastChunk      = "0\r\n\r\n"
	heartbeat      = ":\n\n"
	heartbeatChunk = "3\r\n:\n\n\r\n"
	continueHead   = "HTTP/1.1 100 Continue\r\n\r\n"
)
