package upstream

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
	"github.com/mooring-mcp/mooring/jsonrpc"
)

// serverInfo is what an upstream says of itself at the beginning.
type serverInfo struct {
	info, capabilities []byte
	instructions       string

	tools, prompts, resources                      bool
	toolsChanged, promptsChanged, resourcesChanged bool
	subscribe, logging, completions                bool
}

// open opens a link for ss and does with it what the era needs. If the era is not known, only the
// home session may be opened.
func (s *Server) open(ss *session) {
	switch {
	case s.opts.Era == EraLegacy:
		s.newConn(ss, s.opener()).initialize()
	case !s.era.known:
		s.newConn(ss, s.opts.Open).discover()
	case !s.era.modern || ss.key.legacy:
		s.newConn(ss, s.opener()).initialize()
	case ss == s.home:
		s.newConn(ss, s.opts.Open).discover()
	default:
		k := s.newConn(ss, s.opts.Open)
		k.setModern()
		k.server = s.list.server
		k.ready()
	}
}

// opener returns how links of a legacy upstream are opened.
func (s *Server) opener() Opener {
	if s.era.sse && s.opts.OpenSSE != nil {
		return s.opts.OpenSSE
	}
	return s.opts.Open
}

func (k *conn) setModern() {
	k.modern, k.version = true, modernVersion
	k.link.Negotiated(modernVersion)
}

// discover asks a modern upstream what it has, and others whether they are modern.
func (k *conn) discover() {
	s := k.srv
	k.setModern()
	m := link.Message{Method: "server/discover", Deadline: time.Now().Add(s.opts.StartTimeout)}
	if !s.opts.Stdio {
		m.Deadline = time.Now().Add(2 * probeTimeout)
	}
	k.probe = k.request(m, nil, &inner{done: k.discovered})
	if s.opts.Stdio && !s.era.known && s.opts.Era == EraAuto {
		// A child may be silent because it is legacy, or because it is slow. If it answers after
		// all, that counts.
		s.set(&k.step, probeTimeout, func() { k.initialize() })
	}
}

// discovered takes the answer to server/discover.
func (k *conn) discovered(env *jsonrpc.Envelope, err *link.Error) {
	k.probe = 0
	if k.state != connOpening {
		return
	}
	s := k.srv
	switch {
	case err != nil && (s.opts.Era == EraModern || saysNothing(err) && (!s.opts.Stdio || s.era.known)):
		k.openFailed(err, false)
		return
	case err == nil && env.Kind == jsonrpc.KindResult && supportsModern(env.Result):
		if k.initID != 0 {
			delete(k.pending, k.initID)
			k.link.Cancel(k.initID)
		}
		k.setModern()
		k.server = parseServer(env.Result)
		if info, ok := jsonrpc.Member(metaOf(env.Result), metaServerInfo); ok {
			k.server.info = bytes.Clone(oneLine(info))
		}
		s.learn(era{known: true, modern: true, both: supportsLegacy(env.Result), wordless: s.era.wordless})
		k.ready()
		return
	case s.opts.Era == EraModern || s.era.known:
		if s.era.known && s.opts.Era != EraModern {
			s.forgetEra("it is no longer modern")
			return
		}
		k.openFailed(&link.Error{Reason: link.Malformed, Err: errNotModern}, false)
		return
	case k.initID != 0: // initialize is on its way
		return
	}
	k.step.stop()
	if s.opts.Stdio && err == nil {
		k.initialize()
		return
	}
	// Over HTTP, or if the child has left or is unusable, a new link.
	k.replace(s.opts.Open)
}

// replace gives the session of k another link, whose first message is initialize.
func (k *conn) replace(open Opener) {
	s, ss := k.srv, k.sess
	k.state = connRetired // what is in flight is of no interest
	ss.conn = nil
	k.close(&link.Error{Reason: link.Closed})
	s.newConn(ss, open).initialize()
}

// saysNothing reports whether an error leaves open what the upstream speaks.
func saysNothing(err *link.Error) bool {
	switch err.Reason {
	case link.Status:
		switch err.Status {
		case 401, 403, 408, 429:
			return true
		}
		return err.Status < 400 || err.Status >= 500
	case link.Expired, link.Timeout, link.Malformed:
		return false
	}
	return true
}

// supportsModern reports whether the result of server/discover lists the modern revision.
func supportsModern(result []byte) bool {
	versions, _ := jsonrpc.Member(result, "supportedVersions")
	for v := range jsonrpc.Elements(versions) {
		if jsonrpc.EqualString(v, modernVersion) && v[0] == '"' {
			return true
		}
	}
	return false
}

// supportsLegacy reports whether the result of server/discover lists a legacy revision too.
func supportsLegacy(result []byte) bool {
	versions, _ := jsonrpc.Member(result, "supportedVersions")
	for v := range jsonrpc.Elements(versions) {
		if text, ok := jsonrpc.StringValue(v); ok && isLegacy(text) {
			return true
		}
	}
	return false
}

func metaOf(result []byte) []byte {
	meta, _ := jsonrpc.Member(result, "_meta")
	return meta
}

// initialize begins a session of a legacy upstream.
func (k *conn) initialize() {
	s := k.srv
	k.modern = false
	params := append([]byte(nil), `{"protocolVersion":"`+legacyVersion+`","capabilities":`...)
	params = k.sess.key.class.appendCapabilities(params)
	params = append(append(params, `,"clientInfo":`...), s.opts.ClientInfo...)
	params = append(params, '}')
	m := link.Message{Method: "initialize", Deadline: time.Now().Add(s.opts.StartTimeout)}
	first := k.lastID == 0
	k.initID = k.request(m, params, &inner{done: func(env *jsonrpc.Envelope, err *link.Error) { k.initialized(env, err, first) }})
}

// initialized takes the answer to initialize. First is whether that was the first message on the
// link.
func (k *conn) initialized(env *jsonrpc.Envelope, err *link.Error, first bool) {
	k.initID = 0
	if k.state != connOpening {
		return
	}
	s := k.srv
	switch {
	case err != nil && s.canFallBack(k, err):
		s.era.sse = true
		k.replace(s.opts.OpenSSE)
		return
	case err != nil && s.opts.Stdio && !first && err.Reason != link.Timeout:
		// Some children do not survive an unknown method before initialize.
		k.replace(s.opts.Open)
		return
	case err != nil:
		k.openFailed(err, false)
		return
	case env.Kind == jsonrpc.KindErrorResponse && s.opts.Stdio && !first:
		// Others settle for the era of the first message.
		k.replace(s.opts.Open)
		return
	case env.Kind == jsonrpc.KindErrorResponse:
		e := &link.Error{Reason: link.Malformed, Err: fmt.Errorf("initialize is refused with %d", errorCode(env.Error)), Detail: detail(env.Error)}
		k.openFailed(e, true)
		return
	}
	raw, _ := jsonrpc.Member(env.Result, "protocolVersion")
	version, _ := jsonrpc.StringValue(raw)
	if !isLegacy(version) {
		k.openFailed(&link.Error{Reason: link.Malformed, Err: errVersion, Detail: detail(raw)}, true)
		return
	}
	if k.probe != 0 {
		delete(k.pending, k.probe)
		k.link.Cancel(k.probe)
		k.probe = 0
	}
	k.version = version
	k.server = parseServer(env.Result)
	if info, ok := jsonrpc.Member(env.Result, "serverInfo"); ok {
		k.server.info = bytes.Clone(oneLine(info))
	}
	k.link.Negotiated(version)
	k.notify("notifications/initialized")
	if k.sess.key.legacy {
		s.era.wordless = !hasSession(k.link)
	} else {
		s.learn(era{known: true, sse: s.era.sse, sessions: hasSession(k.link)})
	}
	k.ready()
}

var (
	errNotModern = errors.New("the server does not support " + modernVersion)
	errVersion   = errors.New("the server answers initialize with an unknown version")
	errTooLarge  = &link.Error{Reason: link.TooLong}
)

// canFallBack reports whether the failure of initialize suggests HTTP+SSE.
func (s *Server) canFallBack(k *conn, err *link.Error) bool {
	if s.opts.Stdio || s.opts.OpenSSE == nil || s.era.sse || s.era.known || k.sess != s.home {
		return false
	}
	return err.Reason == link.Expired || err.Reason == link.Status && !saysNothing(err)
}

// hasSession reports whether the upstream keeps a session for the link.
func hasSession(l link.Link) bool {
	h, ok := l.(link.Sessioned)
	return !ok || h.HasSession()
}

// detail returns the beginning of what the upstream has said.
func detail(text []byte) string { return string(text[:min(len(text), 512)]) }

// learn remembers what the upstream speaks.
func (s *Server) learn(e era) {
	if !s.era.known {
		s.opts.Logger.Debug("gateway: the upstream was asked which revision it speaks", "modern", e.modern, "sse", e.sse)
	}
	s.era = e
}

// ready makes k take calls.
func (k *conn) ready() {
	s, ss := k.srv, k.sess
	k.step.stop()
	k.state = connReady
	if ss == s.home {
		s.list.arrived(k)
	}
	k.lowerLevel()
	if len(s.queue) > 0 {
		s.placeQueued()
	}
	s.pump(ss)
}

// openFailed ends an attempt to open k's session. Anew is true if what is known of the era may be
// wrong.
func (k *conn) openFailed(err *link.Error, anew bool) {
	s, ss := k.srv, k.sess
	current := ss.conn == k
	ss.conn = nil
	k.close(&link.Error{Reason: link.Closed})
	if !current || s.closed {
		return
	}
	s.opts.Logger.Warn("gateway: no session with the upstream", "error", err, "detail", err.Detail)
	waiting := ss.waiting
	ss.waiting = nil
	s.waiting -= len(waiting)
	if anew && s.era.known && !s.era.modern && err.Reason == link.Malformed {
		s.forgetEra("initialize is refused")
	}
	s.era.sse = s.era.sse && s.era.known
	if ss.key.legacy && anew {
		// It is modern alone, whatever it says.
		s.era.both = false
		delete(s.sessions, ss.key)
		for _, c := range waiting {
			c.state, c.session = callNew, nil
			s.place(c)
		}
		return
	}
	s.lostLink(ss, 0, err)
	for _, c := range waiting {
		s.finish(c, End{Err: err})
	}
	if ss == s.home && !s.era.known {
		s.failQueued(err)
	}
}
