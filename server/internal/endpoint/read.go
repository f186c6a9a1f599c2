package endpoint

import (
	"bytes"
	"iter"
	"net/http"
	"strconv"
)

// ReadHead reads the head of a response at the beginning of b, as a function of this package has
// appended it. It returns the status, the field lines, and the length of the head; n is 0 if b does
// not have all of it. ReadHead checks nothing, because it reads only what this program has written.
func ReadHead(b []byte) (status int, fields []byte, n int) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, nil, 0
	}
	const before = len("HTTP/1.1 ")
	for _, digit := range b[before : before+3] {
		status = 10*status + int(digit-'0')
	}
	line := bytes.IndexByte(b, '\n') + 1
	return status, b[min(line, end):end], end + len("\r\n\r\n")
}

// Fields returns an iterator over the field lines that ReadHead has returned.
func Fields(lines []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for len(lines) > 0 {
			var line []byte
			line, lines, _ = bytes.Cut(lines, []byte("\r\n"))
			name, value, _ := bytes.Cut(line, []byte(": "))
			if !yield(name, value) {
				return
			}
		}
	}
}

// AppendRewritten appends a head that ReadHead has read, with the field lines of extra, each of
// which follows a CRLF. closes and chunked say how the response is framed now. A field that says
// which origins may see the response is not written twice.
func AppendRewritten(dst []byte, status int, fields, extra []byte, closes, chunked bool) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(status), 10)
	dst = append(append(dst, ' '), http.StatusText(status)...)
	shared := bytes.Contains(extra, []byte("\r\nAccess-Control-Allow-Origin: "))
	for name, value := range Fields(fields) {
		switch {
		case string(name) == "Connection", shared && bytes.HasPrefix(name, []byte("Access-Control-")):
			continue
		}
		dst = append(append(dst, "\r\n"...), name...)
		dst = append(append(dst, ": "...), value...)
	}
	dst = append(dst, extra...)
	if closes {
		dst = append(dst, "\r\nConnection: close"...)
	}
	if chunked {
		dst = append(dst, "\r\nTransfer-Encoding: chunked"...)
	}
	return append(dst, "\r\n\r\n"...)
}
