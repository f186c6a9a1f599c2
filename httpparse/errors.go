package httpparse

import "errors"

// ErrIncomplete reports that the bytes so far are a valid beginning and that
// more are needed. It is never wrapped: compare it with ==.
var ErrIncomplete = errors.New("httpparse: more bytes needed")

// An Error refuses a request. The framing of the connection is lost then: the
// caller responds with Status and "Connection: close", parses nothing more from
// that connection, and closes it (RFC 9112, section 9.6).
//
// Errors are allocated once and compared by identity. Reason is a fixed text
// without anything from the peer, so that the peer may see it.
type Error struct {
	Status int    // the HTTP status code of the response
	Reason string // what was wrong, in lower case
}

// Error returns the reason with the package's name before it.
func (e *Error) Error() string { return "httpparse: " + e.Reason }

// These are the refusals of the request-line.
var (
	errMethodOctet    = &Error{400, "invalid octet in method"}
	errTargetOctet    = &Error{400, "invalid octet in request-target"}
	errTargetPercent  = &Error{400, "invalid percent-encoding in request-target"}
	errTargetForm     = &Error{400, "invalid form of request-target"}
	errTargetAsterisk = &Error{400, "asterisk-form is only for OPTIONS"}
	errVersion        = &Error{400, "invalid HTTP-version"}
	errLineEnd        = &Error{400, "CR without LF"}
	errMethodConnect  = &Error{405, "CONNECT is not supported"}
	errLineTooLong    = &Error{414, "request-line too long"}
	errMethodUnknown  = &Error{501, "unknown method"}
	errVersionUnknown = &Error{505, "HTTP version not supported"}
)

// These are the refusals of the header section.
var (
	errFieldStart         = &Error{400, "white space before field name"}
	errFieldName          = &Error{400, "invalid octet in field name"}
	errFieldNameEmpty     = &Error{400, "empty field name"}
	errFieldValue         = &Error{400, "invalid octet in field value"}
	errHostMissing        = &Error{400, "Host missing"}
	errHostRepeated       = &Error{400, "Host sent more than once"}
	errHostInvalid        = &Error{400, "invalid Host"}
	errHostMismatch       = &Error{400, "Host differs from request-target"}
	errLengthInvalid      = &Error{400, "invalid Content-Length"}
	errLengthRepeated     = &Error{400, "Content-Length sent more than once"}
	errLengthAndCoding    = &Error{400, "both Content-Length and Transfer-Encoding"}
	errCodingOnOld        = &Error{400, "Transfer-Encoding on HTTP/1.0"}
	errCodingRepeated     = &Error{400, "Transfer-Encoding sent more than once"}
	errCodingInvalid      = &Error{400, "invalid Transfer-Encoding"}
	errCodingNotSupported = &Error{501, "transfer coding not supported"}
	errExpectation        = &Error{417, "expectation not supported"}
	errHeadTooLarge       = &Error{431, "head too large"}
	errTooManyFields      = &Error{431, "too many field lines"}
)

// These are the refusals of the content.
var (
	errContentTooLarge  = &Error{413, "content too large"}
	errChunkSize        = &Error{400, "invalid chunk-size"}
	errChunkExt         = &Error{400, "invalid chunk-ext"}
	errChunkExtTooLong  = &Error{400, "chunk-ext too long"}
	errChunkEnd         = &Error{400, "chunk-data not followed by CRLF"}
	errTrailerTooLarge  = &Error{400, "trailer section too large"}
	errTrailerForbidden = &Error{400, "framing or routing field in trailer section"}
	errAfterRefusal     = &Error{400, "content already refused"}
)
