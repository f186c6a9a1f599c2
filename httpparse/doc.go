// Package httpparse reads HTTP/1.1 requests from byte slices: RFC 9112
// (message syntax) and the parts of RFC 9110 (semantics) that a server needs
// before it can trust where one request ends and the next begins.
//
// It performs no I/O, starts no goroutine and allocates nothing. It is meant
// for servers with an event loop of their own: bytes go in, a count comes out,
// and "more bytes are needed" is kept apart from "these bytes are wrong".
//
//	n, err := httpparse.ParseRequest(&req, buf, seen, &limits)
//	switch {
//	case err == nil:                         // the head is buf[:n], content follows
//	case err == httpparse.ErrIncomplete:     // read more, then call again with seen = len(buf)
//	default:                                 // *Error: answer its Status, then close
//	}
//
// # Vocabulary
//
// The words are those of RFC 9112: a request has a head (request-line and
// header section, ended by an empty line) and, optionally, content, which is
// framed by Content-Length or by the chunked transfer coding and may be
// followed by a trailer section. Each line of the header section is a field
// line with a field name and a field value.
//
// # Strictness
//
// RFC 9112 leaves some leniencies to the recipient. This package refuses all
// that two servers in a chain could disagree about: a bare LF or CR, obsolete
// line folding, white space around a field name, Content-Length together with
// Transfer-Encoding or given twice, and a transfer coding on HTTP/1.0. The one
// leniency it keeps is the empty line before a request-line (RFC 9112, section
// 2.2). It refuses an octet that no grammar allows as soon as that arrives. It
// checks a rule about a whole value at the CR that ends its line, and a rule
// about the head as a whole at its end.
//
// # Ownership
//
// A Request belongs to one goroutine at a time. The slices in it alias the
// buffer given to the successful ParseRequest call and are valid until that
// buffer changes. Resume state is kept as offsets, so that the buffer may move
// between calls. A BodyDecoder holds no pointers and copies what it returns.
package httpparse
