package mcp

import "github.com/mooring-mcp/mooring/jsonrpc"

// A requestEnvelope is what the _meta of a request says about the request and its client
// (basic/index, "_meta"). Its slices alias the message; those of absent members are nil.
type requestEnvelope struct {
	raw      []byte // the object itself
	version  []byte
	caps     []byte // an object
	info     []byte // an object
	token    []byte // the progress token: a string or an integer
	trace    traceText
	logRank  int  // rank of the requested logging level; 0 for none
	hasOther bool // _meta holds more than the four keys of the protocol
	level    []byte
}

// scan reads the members of raw, which is the value of _meta or nil. It does not check them: see
// check.
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

// reservedMeta reports whether the protocol defines the member of _meta.
func reservedMeta(name string) bool {
	switch name {
	case MetaKeyProtocolVersion, MetaKeyClientCapabilities, MetaKeyClientInfo, MetaKeyLogLevel,
		"progressToken", "traceparent", "tracestate", "baggage":
		return true
	}
	return false
}

// check refuses an envelope that lacks what every modern request carries, or that has a member of
// the wrong type. "The server MUST reject a request that lacks a required field with -32602". The
// name and the version of the client are not required.
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

// checkLegacy refuses an envelope with a member of the wrong type. Before 2026-07-28 the protocol
// defines only the progress token.
func (e *requestEnvelope) checkLegacy() *jsonrpc.Error {
	if e.token != nil && !validToken(e.token) {
		return errProgressToken
	}
	return nil
}

// validCapabilities reports whether raw is an object whose known members are objects or null. A
// null member counts as absent.
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

// declared reports whether caps, the capabilities that the client declared, has an object at the
// path of member names.
func declared(caps []byte, path ...string) bool {
	for _, name := range path {
		var ok bool
		if caps, ok = jsonrpc.Member(caps, name); !ok {
			return false
		}
	}
	return isObject(caps)
}
