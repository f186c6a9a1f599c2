package httpparse

// A Method is a request method of RFC 9110, section 9.3, or PATCH (RFC 5789).
type Method uint8

// The methods. Any other token is refused with 501 before a caller sees it, so
// that MethodUnknown is found only in a Request that holds no request.
const (
	MethodUnknown Method = iota
	MethodGet
	MethodHead
	MethodPost
	MethodPut
	MethodDelete
	MethodConnect // always refused with 405
	MethodOptions
	MethodTrace
	MethodPatch
)

var methodNames = [...]string{"", "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

// String returns the method as it stands in the request-line, or "" for
// MethodUnknown and values that are no method.
func (m Method) String() string {
	if int(m) < len(methodNames) {
		return methodNames[m]
	}
	return ""
}

// methodOf is case-sensitive.
//
//	RFC 9110, section 9.1: "The method token is case-sensitive because it
//	might be used as a gateway to object-based systems with case-sensitive
//	method names."
func methodOf(b []byte) Method {
	switch string(b) {
	case "GET":
		return MethodGet
	case "HEAD":
		return MethodHead
	case "POST":
		return MethodPost
	case "PUT":
		return MethodPut
	case "DELETE":
		return MethodDelete
	case "CONNECT":
		return MethodConnect
	case "OPTIONS":
		return MethodOptions
	case "TRACE":
		return MethodTrace
	case "PATCH":
		return MethodPatch
	}
	return MethodUnknown
}

// A TargetForm is one of the four forms of request-target of RFC 9112,
// section 3.2.
type TargetForm uint8

const (
	FormOrigin    TargetForm = iota // "/path?query"
	FormAbsolute                    // "http://authority/path?query"
	FormAuthority                   // "host:port", for CONNECT alone
	FormAsterisk                    // "*", for OPTIONS alone
)

var formNames = [...]string{"origin-form", "absolute-form", "authority-form", "asterisk-form"}

// String returns the RFC's name of the form.
func (f TargetForm) String() string {
	if int(f) < len(formNames) {
		return formNames[f]
	}
	return ""
}
