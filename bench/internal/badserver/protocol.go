package badserver

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

const (
	modernRevision = "2026-07-28"
	legacyRevision = "2025-11-25"
	serverInfo     = `{"name":"badserver","version":"1.0.0"}`
	capabilities   = `{"tools":{"listChanged":true}}`
)

// serveMCP serves both eras: a POST with a method in its head belongs to 2026-07-28.
func (s *Server) serveMCP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodPost:
		s.servePost(w, r)
	case http.MethodGet:
		if s.sessionOf(w, r) {
			s.serveStream(w, r, nil)
		}
	case http.MethodDelete:
		if s.sessionOf(w, r) {
			s.endSession(r.Header.Get("Mcp-Session-Id"))
			w.WriteHeader(http.StatusNoContent)
		}
	default:
		w.Header().Set("Allow", "GET, POST, DELETE")
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func (s *Server) servePost(w http.ResponseWriter, r *http.Request) {
	if !s.faults[HugeHeads] {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
	}
	content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxContent))
	if err != nil {
		status := http.StatusBadRequest
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			status = http.StatusRequestEntityTooLarge
		}
		w.WriteHeader(status)
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	var m jsonrpc.Envelope
	if err := m.Decode(content); err != nil {
		var e *jsonrpc.Error
		errors.As(err, &e)
		answerError(w, http.StatusBadRequest, m.ID, e)
		return
	}
	switch {
	case r.Header.Get("Mcp-Method") != "" && r.Header.Get("MCP-Protocol-Version") >= modernRevision:
		s.serveModern(w, r, &m)
	case m.Kind == jsonrpc.KindRequest && string(m.Method) == "initialize":
		s.serveInitialize(w, &m)
	case s.sessionOf(w, r):
		s.serveLegacy(w, r, &m)
	}
}

func (s *Server) serveModern(w http.ResponseWriter, r *http.Request, m *jsonrpc.Envelope) {
	if m.Kind != jsonrpc.KindRequest {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	method := string(m.Method)
	if r.Header.Get("Mcp-Method") != method || r.Header.Get("MCP-Protocol-Version") != modernRevision {
		answerError(w, http.StatusBadRequest, m.ID, &jsonrpc.Error{Code: -32020, Message: "Header mismatch"})
		return
	}
	meta, _ := jsonrpc.Member(m.Params, "_meta")
	if version, ok := jsonrpc.Member(meta, "io.modelcontextprotocol/protocolVersion"); !ok || !jsonrpc.EqualString(version, modernRevision) {
		answerError(w, http.StatusBadRequest, m.ID, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "No version in _meta"})
		return
	}
	const envelope = `"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":` + serverInfo + `}`
	switch method {
	case "server/discover":
		answer(w, m.ID, `{"supportedVersions":["`+modernRevision+`"],"capabilities":`+capabilities+`,"ttlMs":0,"cacheScope":"public",`+envelope+`}`)
	case "tools/list":
		answer(w, m.ID, `{"tools":`+s.toolList()+`,"ttlMs":0,"cacheScope":"public",`+envelope+`}`)
	case "tools/call":
		s.call(w, r, m, ","+envelope)
	case "subscriptions/listen":
		s.serveStream(w, r, m.ID)
	default:
		answerError(w, http.StatusNotFound, m.ID, &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound, Message: "Method not found"})
	}
}

func (s *Server) serveInitialize(w http.ResponseWriter, m *jsonrpc.Envelope) {
	w.Header().Set("Mcp-Session-Id", s.newSession())
	answer(w, m.ID, `{"protocolVersion":"`+legacyRevision+`","capabilities":`+capabilities+`,"serverInfo":`+serverInfo+`}`)
}

func (s *Server) serveLegacy(w http.ResponseWriter, r *http.Request, m *jsonrpc.Envelope) {
	if m.Kind != jsonrpc.KindRequest {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	switch string(m.Method) {
	case "ping":
		answer(w, m.ID, `{}`)
	case "tools/list":
		answer(w, m.ID, `{"tools":`+s.toolList()+`}`)
	case "tools/call":
		s.call(w, r, m, "")
	default:
		answerError(w, http.StatusOK, m.ID, &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound, Message: "Method not found"})
	}
}

func answer(w http.ResponseWriter, id []byte, result string) {
	w.Header().Set("Content-Type", "application/json")
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(bodyTime))
	_, _ = w.Write(jsonrpc.AppendResult(nil, id, []byte(result)))
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
}

func answerError(w http.ResponseWriter, status int, id []byte, e *jsonrpc.Error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(jsonrpc.AppendError(nil, id, e))
}

// newSession returns the ID of a session. The ID is authenticated, so a correct server keeps
// nothing for it.
func (s *Server) newSession() string {
	var random [16]byte
	_, _ = rand.Read(random[:])
	id := hex.EncodeToString(append(random[:], s.sum(random[:])...))
	if s.faults[LeakSessions] {
		held := make([]byte, sessionSize)
		for i := range held {
			held[i] = byte(i)
		}
		s.mu.Lock()
		s.sessions[id] = held
		s.mu.Unlock()
	}
	return id
}

func (s *Server) sum(random []byte) []byte {
	h := hmac.New(sha256.New, s.key[:])
	h.Write(random)
	return h.Sum(nil)[:16]
}

// sessionOf reports whether the request belongs to a session, and sends an error if not.
func (s *Server) sessionOf(w http.ResponseWriter, r *http.Request) bool {
	id := r.Header.Get("Mcp-Session-Id")
	if id == "" {
		http.Error(w, "no session", http.StatusBadRequest)
		return false
	}
	raw, err := hex.DecodeString(id)
	ok := err == nil && len(raw) == 32 && hmac.Equal(raw[16:], s.sum(raw[:16]))
	if ok {
		s.mu.Lock()
		_, gone := s.revoked[id]
		s.mu.Unlock()
		ok = !gone
	}
	if !ok {
		http.Error(w, "no such session", http.StatusNotFound)
	}
	return ok
}

func (s *Server) endSession(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, id)
	now := time.Now()
	for old, until := range s.revoked {
		if now.After(until) {
			delete(s.revoked, old)
		}
	}
	s.revoked[id] = now.Add(5 * time.Second)
}

// toolList returns the array of tools.
func (s *Server) toolList() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	const object = `"inputSchema":{"type":"object","properties":{`
	list := `[{"name":"echo",` + object + `"text":{"type":"string"}},"required":["text"]}},` +
		`{"name":"toggle",` + object + `}}},` +
		`{"name":"sleep",` + object + `"milliseconds":{"type":"integer"}},"required":["milliseconds"]}},` +
		`{"name":"large",` + object + `"bytes":{"type":"integer"}},"required":["bytes"]}}`
	if s.extra {
		list += fmt.Sprintf(`,{"name":"extra",%s}}}`, object)
	}
	return list + "]"
}
