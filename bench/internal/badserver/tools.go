package badserver

import (
	"net/http"
	"strings"
	"time"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// call answers tools/call. rest are further members of the result that the era requires.
func (s *Server) call(w http.ResponseWriter, r *http.Request, m *jsonrpc.Envelope, rest string) {
	name, _ := jsonrpc.Member(m.Params, "name")
	tool, _ := jsonrpc.StringValue(name)
	arguments, _ := jsonrpc.Member(m.Params, "arguments")
	switch tool {
	case "toggle":
		s.toggle()
		answer(w, m.ID, textResult("toggled", false)+rest+"}")
	case "echo":
		value, _ := jsonrpc.Member(arguments, "text")
		text, ok := jsonrpc.StringValue(value)
		answer(w, m.ID, textResult(text, !ok)+rest+"}")
	case "sleep":
		ms, ok := integer(arguments, "milliseconds", int64(time.Minute/time.Millisecond))
		if ok {
			t := time.NewTimer(time.Duration(ms) * time.Millisecond)
			defer t.Stop()
			select {
			case <-t.C:
			case <-r.Context().Done():
				return
			}
		}
		answer(w, m.ID, textResult("slept", !ok)+rest+"}")
	case "large":
		n, ok := integer(arguments, "bytes", maxLarge)
		answer(w, m.ID, textResult(strings.Repeat("x", int(n)), !ok)+rest+"}")
	case "extra":
		answer(w, m.ID, textResult("I am extra.", false)+rest+"}")
	default:
		answerError(w, http.StatusOK, m.ID, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "Unknown tool"})
	}
}

// toggle adds or removes the tool extra, and notifies all streams.
func (s *Server) toggle() {
	s.mu.Lock()
	s.extra = !s.extra
	s.mu.Unlock()
	s.hub.changed()
}

// integer returns a member from 0 to limit.
func integer(arguments []byte, name string, limit int64) (int64, bool) {
	value, _ := jsonrpc.Member(arguments, name)
	n, ok := jsonrpc.IntValue(value)
	if !ok || n < 0 || n > limit {
		return 0, false
	}
	return n, true
}

// textResult returns a result without its closing brace.
func textResult(text string, isError bool) string {
	b := jsonrpc.AppendString([]byte(`{"content":[{"type":"text","text":`), text)
	b = append(b, "}]"...)
	if isError {
		b = append(b, `,"isError":true`...)
	}
	return string(b)
}
