package httpparse

// A Method is a request method of RFC 9110, section 9.3, or PATCH (RFC 5789).
type Method uint8

// These are the methods. Any other token is refused with 501 before a caller sees
// it, so that only a Request without a request has MethodUnknown.
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

// String returns the method as it is written in the request-line. It returns ""
// for MethodUnknown and for values that are not methods.
func (m Method) String() string {
	if int(m) < len(methodNames) {
		return methodNames[m]
	}
	return ""
}

// methodOf returns the method b. It is case-sensitive.
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
	FormAuthority                   // "host:port", only for CONNECT
	FormAsterisk                    // "*", only for OPTIONS
)

var formNames = [...]string{"origin-form", "absolute-form", "authority-form", "asterisk-form"}

// String returns the name of the form in the RFC.
func (f TargetForm) String() string {
	if int(f) < len(formNames) {
		return formNames[f]
	}
	return ""
}
