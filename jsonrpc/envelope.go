package jsonrpc

// A Kind says which of the four messages of JSON-RPC an [Envelope] is.
type Kind uint8

const (
	KindRequest       Kind = iota + 1 // method and id
	KindNotification                  // method, no id
	KindResult                        // a response with result
	KindErrorResponse                 // a response with error; the id may be absent
)

var kindNames = [...]string{"invalid", "request", "notification", "result", "error response"}

// String returns the name of k, which is "invalid" for the zero Kind.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return kindNames[0]
}

// An Envelope is one JSON-RPC message, taken apart. The zero Envelope is ready for Decode. An
// Envelope may be reused, and may be used by one goroutine at a time.
//
// After Decode its slices are valid until the decoded bytes change: Decode copies nothing, except
// for a method name that is written with escapes. All slices but Method are JSON text without
// surrounding white space.
type Envelope struct {
	Kind   Kind
	ID     []byte // the id as written, to be echoed verbatim; nil if absent
	Method []byte // the unescaped method name; nil in a response
	Params []byte // an object; nil if absent
	Result []byte // any value; nil unless a result
	Error  []byte // an object with an integer code and a string message; nil unless an error response
}

// ErrorObject returns the error object of an error response, or nil if m is not an
// error response. Data is a copy.
func (m *Envelope) ErrorObject() *Error {
	if m.Kind != KindErrorResponse {
		return nil
	}
	var e Error
	for name, value := range Members(m.Error) {
		switch {
		case EqualString(name, "code"):
			code, _ := IntValue(value)
			e.Code = Code(code)
		case EqualString(name, "message"):
			e.Message, _ = StringValue(value)
		case EqualString(name, "data"):
			e.Data = append(e.Data, value...)
		}
	}
	return &e
}
