package httpparse

import "iter"

// A Request is the head of one request. The zero Request is ready for
// [ParseRequest]. It can be reused or pooled as it is, because a new parse begins
// with a Reset. It has about 1.6 KiB, holds no buffer of its own, and belongs to
// one goroutine at a time.
//
// A ParseRequest call that returns a nil error sets the exported fields; they have
// no meaning before. Slices are valid until the buffer given to that call changes,
// and their capacity is their length. A field that was not sent is nil; one that
// was sent empty is not.
type Request struct {
	Method Method
	Form   TargetForm
	Minor  uint8 // the request's version is HTTP/1.Minor: 0 or 1

	// Duplicate reports that one of Origin, Content-Type, Authorization,
	// Last-Event-ID, MCP-Protocol-Version, Mcp-Method, Mcp-Name and
	// Mcp-Session-Id was sent more than once. The member holds the first value,
	// which must not be trusted. DuplicateMCP reports the same of the four
	// that begin with Mcp.
	Duplicate    bool
	DuplicateMCP bool

	// MoreAccept reports that Accept was sent on several lines. The list is the
	// concatenation of all of them, and Accept holds the first.
	MoreAccept bool

	// HasMCPParam reports whether a field whose name begins with Mcp-Param- is
	// among the Fields.
	HasMCPParam bool

	Chunked bool // the content has the chunked transfer coding

	// KeepAlive reports whether the client expects the connection to persist
	// after the response: HTTP/1.1 without "Connection: close".
	KeepAlive bool

	// ExpectContinue reports whether the client waits for a 100 response before
	// it sends content. It is never set on HTTP/1.0, nor without content.
	ExpectContinue bool

	ContentLength int64 // -1 if absent; leading zeros are accepted

	Target []byte // the request-target as sent
	Path   []byte // in origin- and absolute-form, never empty; percent-encoding as sent
	Query  []byte // the part after the first "?"; nil if there is none

	// Host is the authority that the request is for, as sent: that of the
	// absolute-form, or else the value of Host. It includes the port if there is
	// one. It is nil only on HTTP/1.0.
	Host []byte

	Accept          []byte
	AcceptEncoding  []byte
	Authorization   []byte
	ContentEncoding []byte // the first, if there are several lines
	ContentType     []byte
	LastEventID     []byte
	Origin          []byte
	UserAgent       []byte

	MCPMethod          []byte
	MCPName            []byte
	MCPProtocolVersion []byte
	MCPSessionID       []byte

	head []byte // the octets that ParseRequest consumed, once it has succeeded

	fields [MaxFields]fieldSpan
	resume // follows fields, so that their end is within the Request
}

// A resume is what a parse remembers from one call to the next. Offsets are
// from the start of the buffer.
type resume struct {
	state     parseState
	scan      uint16 // the first octet that has not been looked at
	line      uint16 // start of the request-line
	target    uint16 // start of the request-target
	targetEnd uint16
	query     uint16 // the first "?" of the request-target; 0 if there is none
	authority uint16 // start of the authority of an absolute-form; authEnd is its end
	authEnd   uint16
	version   uint16 // start of HTTP-version

	closes      bool                     // Connection has the option close
	continues   bool                     // Expect is 100-continue
	otherExpect bool                     // Expect is, or has, something else
	first       [numFieldKinds]valueSpan // the first value of each kind
	repeated    uint32                   // bit set of the kinds that were repeated
	numFields   uint8                    // number of spans; those beyond it are never read
}

// A valueSpan locates a field value in the buffer; end is 0 if there is none.
type valueSpan struct{ start, end uint16 }

// A fieldSpan locates a field line in the buffer.
type fieldSpan struct{ name, nameEnd, value, valueEnd uint16 }

// Reset drops the request and its buffer. r is then ready for another request.
func (r *Request) Reset() {
	r.begin()
	r.KeepAlive, r.ExpectContinue = false, false
	r.Duplicate, r.DuplicateMCP, r.MoreAccept = false, false, false
	r.Target, r.Path, r.Query, r.Host = nil, nil, nil, nil
	r.Accept, r.AcceptEncoding, r.Authorization, r.ContentEncoding, r.ContentType = nil, nil, nil, nil, nil
	r.LastEventID, r.Origin, r.UserAgent = nil, nil, nil
	r.MCPMethod, r.MCPName, r.MCPProtocolVersion, r.MCPSessionID = nil, nil, nil, nil
	r.head = nil
}

// begin resets what a parse relies on. It leaves what finish always sets, so that a
// head that arrives whole, as most do, is not paid for twice.
func (r *Request) begin() {
	r.resume = resume{}
	r.Method, r.Form, r.Minor = MethodUnknown, FormOrigin, 0
	r.HasMCPParam, r.Chunked = false, false
	r.ContentLength = -1
}

// NumField returns the number of field lines in the header section.
func (r *Request) NumField() int {
	if r.head == nil {
		return 0
	}
	return int(r.numFields)
}

// Field returns field line i, in the order in which they were sent: the name as
// sent, and the value without the white space around it. It panics if i is not
// less than NumField.
func (r *Request) Field(i int) (name, value []byte) {
	f := r.fields[:r.NumField()][i]
	return r.head[f.name:f.nameEnd:f.nameEnd], r.head[f.value:f.valueEnd:f.valueEnd]
}

// Fields returns an iterator over the field lines that [Request.Field] returns. It
// allocates nothing if it is ranged over directly.
func (r *Request) Fields() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for i := range r.NumField() {
			if !yield(r.Field(i)) {
				return
			}
		}
	}
}

// HasContent reports whether content follows the head.
func (r *Request) HasContent() bool { return r.Chunked || r.ContentLength > 0 }

// CheckContent returns an *Error with status 413 if Content-Length announces more
// than lim allows, and otherwise nil. A server calls it before it sends a 100
// response. The length of chunked content is only known to a BodyDecoder.
//
//	RFC 9110, section 15.5.14: "The 413 (Content Too Large) status code
//	indicates that the server is refusing to process a request because the
//	request content is larger than the server is willing or able to process."
func (r *Request) CheckContent(lim *Limits) error {
	if r.ContentLength > lim.content() {
		return errContentTooLarge
	}
	return nil
}
