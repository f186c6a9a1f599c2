package mcp

import "github.com/mooring-mcp/mooring/jsonrpc"

// A requestEnvelope is what the _meta of a request says about the request and its client
// (basic/index, "_meta"). Its slices alias the message; nil when absent.
type requestEnvelope struct {
	raw      []byte // the object itself
	version  []byte
	caps     []byte // an object
	info     []byte // an object
	token    []byte // the progress token: a string or an integer
	trace    traceText
	logRank  int  // of the logging level asked for; 0 when none
	hasOther bool // there are members besides those that the protocol reserves
	level    []byte
}

// scan reads the members of raw, the value of _meta or nil. What it finds is not
// checked yet: see check.
func (e *requestEnvelope) scan(raw []byte) {
	if !isObject(raw) {
		return
	}
	e.raw = raw
	for name, value := range jsonrpc.Members(raw) {
		name = unescaped(name)
		if isNull(value) {
			e.hasOther = e.hasOther || !reservedMeta(string(name))
			continue
		}
		switch string(name) {
		case MetaKeyProtocolVersion:
			e.version = value
		case MetaKeyClientCapabilities:
			e.caps = value
		case MetaKeyClientInfo:
			e.info = value
		case MetaKeyLogLevel:
			e.level = value
		case "progressToken":
			e.token = value
			e.hasOther = true
		case "traceparent":
			e.trace.parent = value
			e.hasOther = true
		case "tracestate":
			e.trace.state = value
			e.hasOther = true
		case "baggage":
			e.trace.baggage = value
			e.hasOther = true
		default:
			e.hasOther = true
		}
	}
}

// reservedMeta reports whether the protocol says what the member of _meta holds.
func reservedMeta(name string) bool {
	switch name {
	case MetaKeyProtocolVersion, MetaKeyClientCapabilities, MetaKeyClientInfo, MetaKeyLogLevel,
		"progressToken", "traceparent", "tracestate", "baggage":
		return true
	}
	return false
}

// check refuses an envelope that lacks what every modern request carries, or has a
// member of the wrong type. "The server MUST reject a request that lacks a required
// field with -32602": a name and version of the client are not required.
func (e *requestEnvelope) check() *jsonrpc.Error {
	switch {
	case e.caps == nil:
		return errNoCaps
	case !validCapabilities(e.caps):
		return errCaps
	case e.info != nil && !isObject(e.info):
		return errClientInfo
	}
	if e.token != nil && !validToken(e.token) {
		return errProgressToken
	}
	if e.level != nil {
		level, ok := stringOf(e.level)
		if e.logRank = LoggingLevel(level).rank(); !ok || e.logRank == 0 {
			return errLogLevel
		}
	}
	return nil
}

// checkLegacy refuses an envelope with a member of the wrong type: before 2026-07-28
// only the progress token belongs to the protocol.
func (e *requestEnvelope) checkLegacy() *jsonrpc.Error {
	if e.token != nil && !validToken(e.token) {
		return errProgressToken
	}
	return nil
}

// validCapabilities reports whether raw is an object whose known members are objects
// or null, which is as if they were absent.
func validCapabilities(raw []byte) bool {
	if !isObject(raw) {
		return false
	}
	for name, value := range jsonrpc.Members(raw) {
		switch string(unescaped(name)) {
		case "elicitation", "sampling", "roots", "experimental", "extensions":
			if !isObject(value) && !isNull(value) {
				return false
			}
		}
	}
	return true
}

// validToken reports whether raw is a string or an integer.
func validToken(raw []byte) bool {
	if len(raw) > 0 && raw[0] == '"' {
		return true
	}
	_, ok := jsonrpc.IntValue(raw)
	return ok
}

// declared reports whether caps, the client's declared capabilities, has an object
// at the path of names.
func declared(caps []byte, path ...string) bool {
	for _, name := range path {
		var ok bool
		if caps, ok = jsonrpc.Member(caps, name); !ok {
			return false
		}
	}
	return isObject(caps)
}
