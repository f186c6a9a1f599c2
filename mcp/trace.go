package mcp

import "context"

// A Trace is the trace context in the _meta of a request (SEP-414), in the formats of W3C Trace
// Context and W3C Baggage. Parent is valid if it is not "". State and Baggage are as the client
// sent them.
type Trace struct {
	Parent  string // traceparent
	State   string // tracestate
	Baggage string // baggage
}

type traceKey struct{}

// TraceContext returns the trace context of the request to which ctx, the context of a handler,
// belongs. It returns false if the request has none.
func TraceContext(ctx context.Context) (t Trace, ok bool) {
	t, ok = ctx.Value(traceKey{}).(Trace)
	return t, ok
}

// traceText is a trace context as JSON text.
type traceText struct{ parent, state, baggage []byte }

// trace returns the trace context and whether there is one. A malformed traceparent counts as
// absent and takes its tracestate with it (Trace Context, sections 3.2.2 and 3.3.1). Baggage is
// independent of them.
func (t *traceText) trace() (Trace, bool) {
	var out Trace
	if parent, ok := stringOf(t.parent); ok && validTraceparent(parent) {
		out.Parent = string(parent)
		if state, ok := stringOf(t.state); ok && validTraceField(state) {
			out.State = string(state)
		}
	}
	if baggage, ok := stringOf(t.baggage); ok && validTraceField(baggage) {
		out.Baggage = string(baggage)
	}
	return out, out != Trace{}
}

// validTraceparent reports whether b is version-traceid-parentid-flags in lower-case hexadecimal,
// with neither id all zero. Later versions may continue after another dash. Version ff is
// forbidden.
func validTraceparent(b []byte) bool {
	const length = 2 + 1 + 32 + 1 + 16 + 1 + 2
	if len(b) < length || b[2] != '-' || b[35] != '-' || b[52] != '-' {
		return false
	}
	version := string(b[:2])
	if version == "ff" || version == "00" && len(b) != length || len(b) > length && b[length] != '-' {
		return false
	}
	return isHex(b[:2]) && isHex(b[53:55]) && isID(b[3:35]) && isID(b[36:52])
}

func isHex(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// isID reports whether b is hexadecimal and not all zero.
func isID(b []byte) bool {
	zero := true
	for _, c := range b {
		zero = zero && c == '0'
	}
	return !zero && isHex(b)
}

// validTraceField reports whether a handler may copy b into a header field: it has only visible
// ASCII, spaces and tabs, and at most 8192 octets (W3C Baggage, 3.3.2).
func validTraceField(b []byte) bool {
	return len(b) <= 8192 && validFieldValue(b)
}
