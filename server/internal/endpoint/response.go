package endpoint

import (
	"net/http"
	"strconv"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// ResponseHead holds what varies in the head of a response.
type ResponseHead struct {
	Status     int
	Date       string // IMF-fixdate
	Close      bool   // the connection closes after the response
	Origin     []byte // an allowed Origin, for Access-Control-Allow-Origin
	Allow      string // the value of Allow, with status 405
	RetryAfter int32  // the value of Retry-After, in seconds, with status 429 or 503; 0 for none
	Session    []byte // the ID of a new session
	Challenge  []byte // the value of WWW-Authenticate; empty for none
	Extra      []byte // further field lines, each after a CRLF
}

const (
	TypeJSON  = "application/json"
	TypePlain = "text/plain; charset=utf-8"
)

// appendStatus appends the status line and the fields that every response has.
func appendStatus(dst []byte, h *ResponseHead) []byte {
	if h.Status == 200 {
		dst = append(dst, "HTTP/1.1 200 OK\r\nDate: "...)
	} else {
		dst = append(dst, "HTTP/1.1 "...)
		dst = strconv.AppendInt(dst, int64(h.Status), 10)
		dst = append(dst, ' ')
		dst = append(dst, http.StatusText(h.Status)...)
		dst = append(dst, "\r\nDate: "...)
	}
	dst = append(dst, h.Date...)
	if h.Close {
		dst = append(dst, "\r\nConnection: close"...)
	}
	if h.Allow != "" {
		dst = append(append(dst, "\r\nAllow: "...), h.Allow...)
	}
	if h.RetryAfter > 0 {
		dst = append(dst, "\r\nRetry-After: "...)
		dst = strconv.AppendInt(dst, int64(h.RetryAfter), 10)
	}
	if h.Session != nil {
		dst = append(append(dst, "\r\nMcp-Session-Id: "...), h.Session...)
	}
	if len(h.Challenge) > 0 {
		dst = append(append(dst, "\r\nWWW-Authenticate: "...), h.Challenge...)
	}
	if h.Origin != nil {
		dst = append(append(dst, "\r\nAccess-Control-Allow-Origin: "...), h.Origin...)
		dst = append(dst, "\r\nAccess-Control-Expose-Headers: Mcp-Session-Id, WWW-Authenticate\r\nVary: Origin"...)
	}
	return append(dst, h.Extra...)
}

// AppendHead appends the head of a response with n bytes of content. If contentType is empty, there
// is no content.
func AppendHead(dst []byte, h *ResponseHead, contentType string, n int) []byte {
	dst = appendStatus(dst, h)
	if contentType != "" {
		dst = append(append(dst, "\r\nContent-Type: "...), contentType...)
	}
	// "A server MUST NOT send a Content-Length header field in any response with a status code of
	// 1xx (Informational) or 204 (No Content)" (RFC 9110 section 8.6).
	if h.Status != 204 {
		dst = append(dst, "\r\nContent-Length: "...)
		dst = strconv.AppendInt(dst, int64(n), 10)
	}
	return append(dst, "\r\n\r\n"...)
}

// AppendStreamHead appends the head of a text/event-stream response. The X-Accel-Buffering field
// and no-transform keep proxies from holding events back.
func AppendStreamHead(dst []byte, h *ResponseHead, chunked bool) []byte {
	dst = appendStatus(dst, h)
	dst = append(dst, "\r\nContent-Type: text/event-stream\r\n"+
		"Cache-Control: no-cache, no-transform\r\nX-Accel-Buffering: no"...)
	if chunked {
		dst = append(dst, "\r\nTransfer-Encoding: chunked"...)
	}
	return append(dst, "\r\n\r\n"...)
}

// AppendPreflight appends the response to a CORS preflight from an allowed origin.
func AppendPreflight(dst []byte, h *ResponseHead) []byte {
	dst = appendStatus(dst, h)
	return append(dst, "\r\nAccess-Control-Allow-Methods: GET, POST, DELETE\r\n"+
		// "*" covers Mcp-Param-*, whose names come from the tools, but not Authorization
		"Access-Control-Allow-Headers: *, Authorization\r\n"+
		"Access-Control-Max-Age: 7200\r\n\r\n"...)
}

// AppendRefusal appends the response to a request that was refused because of its head or framing.
// Its content is a JSON-RPC error without an ID, which gives the reason.
func AppendRefusal(dst []byte, h *ResponseHead, reason string) []byte {
	var code jsonrpc.Code = jsonrpc.CodeInvalidRequest
	if h.Status >= 500 {
		code = jsonrpc.CodeInternalError
	}
	var scratch [256]byte
	body := jsonrpc.AppendError(scratch[:0], nil, &jsonrpc.Error{Code: code, Message: reason})
	dst = AppendHead(dst, h, TypeJSON, len(body))
	return append(dst, body...)
}

// AppendChunk appends data as one chunk (RFC 9112 section 7.1). data must not be empty.
func AppendChunk(dst, data []byte) []byte {
	dst = strconv.AppendUint(dst, uint64(len(data)), 16)
	dst = append(dst, "\r\n"...)
	dst = append(dst, data...)
	return append(dst, "\r\n"...)
}

const (
	LastChunk      = "0\r\n\r\n"
	Heartbeat      = ":\n\n"
	HeartbeatChunk = "3\r\n:\n\n\r\n"
	ContinueHead   = "HTTP/1.1 100 Continue\r\n\r\n"
)
