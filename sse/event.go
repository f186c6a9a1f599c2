package sse

import (
	"bytes"
	"strconv"
	"time"
	"unicode/utf8"
)

// An Event is one block of an event stream that has data.
type Event struct {
	// Type is the event field. If it is "", there is none, and the event is a "message".
	Type string

	// ID is the id field to write. In an event that was read, it is the last event ID at
	// the time when the event was dispatched: an event without an id field has the ID of
	// the event before it.
	ID string

	// Data is the value of the data fields, joined by LF.
	Data []byte

	// Retry is the reconnection time, in whole milliseconds.
	Retry time.Duration

	// HasID reports whether the block has an id field of its own. It is set by the
	// Decoder; AppendEvent needs it only to write an empty id, which makes the client
	// forget the last event ID.
	HasID bool

	// HasRetry reports whether the block has a retry field. It is set by the Decoder;
	// AppendEvent needs it only to write a reconnection time of zero.
	HasRetry bool
}

// MaxIDLength is the maximum length in bytes of an ID that AppendEvent writes.
const MaxIDLength = 64

// ValidID reports whether id may be sent as an event's id and taken from a
// Last-Event-ID field: 1 to MaxIDLength bytes of A–Z a–z 0–9 _ -.
func ValidID(id []byte) bool { return validID(id) }

func validID[T string | []byte](id T) bool {
	if len(id) == 0 || len(id) > MaxIDLength {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// validType reports whether an event field can hold t for every client: printable
// ASCII only.
func validType(t string) bool {
	for i := range len(t) {
		if t[i] < 0x20 || t[i] > 0x7E {
			return false
		}
	}
	return t != ""
}

// AppendEvent appends e to dst and returns the extended slice. It always writes
// data, because clients do not dispatch an event without data, and some would lose
// its id. With empty Data it writes the priming event of MCP, "id: x" and an empty
// "data: ".
//
// A Type that is not printable ASCII, and an ID that is neither empty nor valid by
// [ValidID], cannot be written safely and are left out. Retry is written in
// milliseconds, rounded up, if it is positive. Data is written as [AppendData] does.
func AppendEvent(dst []byte, e *Event) []byte {
	if validID(e.ID) {
		dst = append(dst, "id: "...)
		dst = append(dst, e.ID...)
		dst = append(dst, '\n')
	} else if e.HasID && e.ID == "" {
		dst = append(dst, "id: \n"...)
	}
	if validType(e.Type) {
		dst = append(dst, "event: "...)
		dst = append(dst, e.Type...)
		dst = append(dst, '\n')
	}
	if e.Retry > 0 || e.HasRetry {
		dst = appendRetryField(dst, e.Retry)
	}
	return AppendData(dst, e.Data)
}

// AppendRetry appends a block that sets the client's reconnection time and is not an
// event. The time is written in milliseconds, rounded up; a negative one becomes zero.
func AppendRetry(dst []byte, d time.Duration) []byte {
	return append(appendRetryField(dst, d), '\n')
}

func appendRetryField(dst []byte, d time.Duration) []byte {
	ms := max(d, 0) / time.Millisecond
	if d > ms*time.Millisecond {
		ms++
	}
	dst = append(dst, "retry: "...)
	dst = strconv.AppendInt(dst, int64(ms), 10)
	return append(dst, '\n')
}

// AppendData appends an event that has nothing but data, and returns the extended
// slice. Data is JSON: U+0085, U+2028 and U+2029 in it, which can only occur within
// strings, are written as \u escapes, because some clients end lines at them. Each
// line of data becomes a data field of its own; a client gets them joined by LF.
func AppendData(dst, data []byte) []byte {
	dst = append(dst, "data: "...)
	if bytes.IndexByte(data, '\n') < 0 && bytes.IndexByte(data, '\r') < 0 &&
		bytes.IndexByte(data, 0xE2) < 0 && bytes.IndexByte(data, 0xC2) < 0 {
		dst = append(dst, data...)
	} else {
		dst = appendLines(dst, data)
	}
	return append(dst, "\n\n"...)
}

// appendLines appends data with the line ends that AppendData describes.
func appendLines(dst, data []byte) []byte {
	start := 0 // the beginning of what has not been appended
	for i := 0; i < len(data); i++ {
		c := data[i]
		if c != '\n' && c != '\r' && c != 0xC2 && c != 0xE2 {
			continue
		}
		n, with := 0, ""
		switch c {
		case '\n':
			n, with = 1, "\ndata: "
		case '\r':
			n, with = 1, "\ndata: "
			if i+1 < len(data) && data[i+1] == '\n' {
				n = 2
			}
		case 0xC2, 0xE2:
			n, with = falseLineEnd(data[i:])
		}
		if n > 0 {
			dst = append(dst, data[start:i]...)
			dst = append(dst, with...)
			start = i + n
			i = start - 1
		}
	}
	return append(dst, data[start:]...)
}

// falseLineEnd returns the length and the JSON escape of the character at the
// beginning of b, if only some clients take that character for a line end.
func falseLineEnd(b []byte) (n int, escape string) {
	switch {
	case len(b) >= 2 && b[0] == 0xC2 && b[1] == 0x85:
		return 2, `\u0085`
	case len(b) < 3 || b[0] != 0xE2 || b[1] != 0x80:
		return 0, ""
	case b[2] == 0xA8:
		return 3, `\u2028`
	case b[2] == 0xA9:
		return 3, `\u2029`
	}
	return 0, ""
}

// AppendComment appends a comment and an empty line, and returns the extended
// slice. Clients ignore it. With an empty text it is the shortest possible
// keep-alive, ":\n\n". Each line of text becomes a comment of its own; U+0085,
// U+2028 and U+2029 end a line too, as they do for some clients.
func AppendComment(dst []byte, text string) []byte {
	dst = append(dst, ':')
	for i, r := range text {
		switch r {
		case '\n':
			if i > 0 && text[i-1] == '\r' {
				continue
			}
			fallthrough
		case '\r', '\u0085', '\u2028', '\u2029':
			dst = append(dst, "\n:"...)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, "\n\n"...)
}
