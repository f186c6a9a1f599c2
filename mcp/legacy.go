package mcp

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// The legacy revisions, those before 2026-07-28, have sessions: initialize opens one, and what was
// agreed there holds for every later message. This package keeps no sessions. All that a request
// needs to know of its session is a [SessionInfo], which the transport passes with the message and
// which is small enough to travel inside the session ID.

// SessionInfo is what is known of a session, apart from its ID. The zero value is a session of a
// client that declared nothing.
type SessionInfo struct {
	Revision     string         // as negotiated; "" is the default of the transport
	Capabilities CapabilityBits // what the client declared, as far as its revision has it
	ClientName   string         // the name that the client gave, cut to 24 octets

	// ClientVersion is the version that the client gave, or "" if it is too long: the binary form
	// has 28 octets for name and version.
	ClientVersion string

	// LogLevel is the level that logging/setLevel asked for. It is not part of the binary form; the
	// transport keeps it while it is set. "" stands for info, because a client that sets no level
	// expects to see the server's messages.
	LogLevel LoggingLevel
}

// CapabilityBits is the set of capabilities that a client declared, as far as a server acts on
// them.
type CapabilityBits uint16

// These are the capabilities of a client. Their values are part of the binary form of a
// [SessionInfo] and never change.
const (
	CapabilityRoots CapabilityBits = 1 << iota
	CapabilityRootsListChanged
	CapabilitySampling
	CapabilitySamplingTools
	CapabilitySamplingContext
	CapabilityElicitation // in at least one of its modes
	CapabilityElicitationForm
	CapabilityElicitationURL
)

const (
	// MaxSessionInfo is the maximum length of the binary form of a SessionInfo in octets.
	MaxSessionInfo = sessionInfoHead + maxClient

	sessionInfoHead = 3 // revision, capabilities
	maxClientName   = 24
	maxClient       = 29 // the name, and the version after a NUL
)

// AppendBinary appends the binary form of i, which does not have its LogLevel. It is at most
// [MaxSessionInfo] octets long. A revision that is not a legacy one is written as "".
func (i *SessionInfo) AppendBinary(dst []byte) []byte {
	var tag byte
	if rev := legacyNamed([]byte(i.Revision)); rev != nil {
		tag = rev.tag
	}
	dst = append(dst, tag, byte(i.Capabilities>>8), byte(i.Capabilities))
	name := cutName(i.ClientName)
	dst = append(dst, name...)
	if v := i.ClientVersion; v != "" && fitsVersion(name, v) {
		dst = append(append(dst, 0), v...)
	}
	return dst
}

// fitsVersion reports whether a session of a client with the name keeps the version.
func fitsVersion(name, version string) bool {
	return len(name)+1+len(version) <= maxClient && utf8.ValidString(version) && strings.IndexByte(version, 0) < 0
}

// UnmarshalBinary sets i from the binary form b, with no LogLevel. It refuses input that
// AppendBinary does not write. It keeps i.ClientName and i.ClientVersion if they are the same, so
// that reading the same session again allocates nothing; otherwise it copies.
func (i *SessionInfo) UnmarshalBinary(b []byte) error {
	if len(b) < sessionInfoHead || len(b) > MaxSessionInfo || !utf8.Valid(b[sessionInfoHead:]) {
		return errSessionInfo
	}
	client, version, found := bytes.Cut(b[sessionInfoHead:], []byte{0})
	if len(client) > maxClientName || found == (len(version) == 0) || bytes.IndexByte(version, 0) >= 0 {
		return errSessionInfo
	}
	var name string
	if b[0] != 0 {
		rev := legacyTagged(b[0])
		if rev == nil {
			return errSessionInfo
		}
		name = rev.name
	}
	i.Revision = name
	i.Capabilities = CapabilityBits(b[1])<<8 | CapabilityBits(b[2])
	i.LogLevel = ""
	if i.ClientName != string(client) {
		i.ClientName = string(client)
	}
	if i.ClientVersion != string(version) {
		i.ClientVersion = string(version)
	}
	return nil
}

var errSessionInfo = errors.New("mcp: not the binary form of a session info")

// cutName returns the longest prefix of name that has whole runes and at most maxClientName
// octets. It returns "" if name is not UTF-8 or has a NUL.
func cutName(name string) string {
	if !utf8.ValidString(name) || strings.IndexByte(name, 0) >= 0 {
		return ""
	}
	if len(name) <= maxClientName {
		return name
	}
	end := maxClientName
	for !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end]
}

// clientOf is what a session knows of its client.
type clientOf struct{ name, version string }

func (i *SessionInfo) client() clientOf { return clientOf{i.ClientName, i.ClientVersion} }

// setClient keeps what fits of the client's name and version.
func (i *SessionInfo) setClient(name, version string) {
	i.ClientName, i.ClientVersion = cutName(name), ""
	if fitsVersion(i.ClientName, version) {
		i.ClientVersion = version
	}
}

// LegacyRevision reports whether name is the name of a legacy revision that is served.
func LegacyRevision(name []byte) bool { return legacyNamed(name) != nil }

// modernNamed returns the modern revision with the name, or nil.
func modernNamed(name []byte) *revision {
	if rev := revisionNamed(name); rev != nil && rev.tag == 0 {
		return rev
	}
	return nil
}

// legacyNamed returns the legacy revision with the name, or nil.
func legacyNamed(name []byte) *revision {
	if rev := revisionNamed(name); rev != nil && rev.tag != 0 {
		return rev
	}
	return nil
}

// legacyTagged returns the revision with the tag, which is not 0, or nil.
func legacyTagged(tag byte) *revision {
	for i := range revisions {
		if revisions[i].tag == tag {
			return &revisions[i]
		}
	}
	return nil
}

// AllowsBatches reports whether a client in a session of the named revision may send several
// messages as one array (JSON-RPC 2.0, section 6). Only 2025-03-26 allows that.
func AllowsBatches(name string) bool {
	rev := legacyNamed([]byte(name))
	return rev != nil && rev.batches
}

// ResumableFromStart reports whether streams in sessions of the named revision begin with an
// event that has nothing but an id. A client can resume such a stream from its start, and
// the server may close it before the response (SEP-1699). Clients of other revisions would
// take that event for a broken message.
func ResumableFromStart(name string) bool {
	rev := legacyNamed([]byte(name))
	return rev != nil && rev.resumableFromStart
}

// Topics returns the notifications that the server declares with the features it has.
func (s *Server) Topics() Topic { return s.topics(s.reg.Load()) }

// A SessionOp is what the transport must do for a CallSession.
type SessionOp struct {
	Kind  SessionOpKind
	Level LoggingLevel // for OpSetLevel
	URI   string       // for OpSubscribe and OpUnsubscribe
}

// A SessionOpKind says what a SessionOp does.
type SessionOpKind uint8

const (
	OpNone        SessionOpKind = iota
	OpSetLevel                  // remember Level as the session's LogLevel
	OpSubscribe                 // notify the session of updates of URI; call [Server.Subscribe]
	OpUnsubscribe               // end that; call [Server.Unsubscribe] if URI was subscribed
)

// Legacy reports whether the message belongs to a session, or opens one. The result is valid after
// a refusal too; it is false then for messages of unknown revision.
func (c *Call) Legacy() bool { return c.rev != nil && !c.rev.requestMeta }

// ClaimsModern reports whether a request or notification says in its body that it belongs to a
// modern revision, served or not. The result is valid after a refusal too.
func (c *Call) ClaimsModern() bool { return c.env.version != nil }

// Op returns what the transport must do for a CallSession that is Inline. For other kinds it
// returns the zero SessionOp.
func (c *Call) Op() SessionOp { return c.op }

// Cancelled returns the id of the request that a notifications/cancelled names, as JSON text that
// aliases the message, and nil for all other messages. The transport looks the id up among the
// requests of the same session. An initialize cannot be cancelled.
func (c *Call) Cancelled() []byte { return c.cancelled }

// NewSession returns what the ID of the session that a CallInitialize opens must say, and nil for
// other kinds. The caller may keep it. If the call is not Inline, middleware may change that: see
// [Operator].
func (c *Call) NewSession() *SessionInfo { return c.opened }

// Asking reports whether the last Run or Resume ended with [Requester.Request]. Then the call is
// not answered and waits for [Call.Resume] or [Call.Abandon]. Only the goroutine that ran the call
// may call Asking, and only before another goroutine may have resumed the call.
func (c *Call) Asking() bool { return c.asking }

// SessionChangeMessage returns the notification of ch in the form that sessions get. It returns
// nil if the server does not declare notifications of that kind. The message must not be changed.
func (s *Server) SessionChangeMessage(ch Change) []byte {
	if s.Topics()&ch.Topic == 0 {
		return nil
	}
	switch ch.Topic {
	case TopicTools:
		return sessionToolsChanged
	case TopicPrompts:
		return sessionPromptsChanged
	case TopicResources:
		return sessionResourcesChanged
	}
	msg := append([]byte(nil), `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":`...)
	return append(jsonrpc.AppendString(msg, s.spelling(ch.URI)), `}}`...)
}

var (
	sessionToolsChanged     = []byte(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
	sessionPromptsChanged   = []byte(`{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}`)
	sessionResourcesChanged = []byte(`{"jsonrpc":"2.0","method":"notifications/resources/list_changed"}`)
)
