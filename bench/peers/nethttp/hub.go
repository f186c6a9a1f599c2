package main

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
)

// A hub notifies every open stream of a change. Its methods may be called from any goroutine.
type hub struct {
	mu      sync.Mutex // guards what follows
	streams map[chan struct{}]struct{}
	there   bool // the tool extra exists
	ended   bool
	over    chan struct{} // closed by end
}

func newHub() *hub {
	return &hub{streams: make(map[chan struct{}]struct{}), over: make(chan struct{})}
}

func (h *hub) extra() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.there
}

// toggle adds or removes the tool extra and wakes every stream. Changes that a stream has not sent
// yet become one.
func (h *hub) toggle() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.there = !h.there
	for woken := range h.streams {
		select {
		case woken <- struct{}{}:
		default:
		}
	}
}

// end ends all streams, now and later.
func (h *hub) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.ended {
		h.ended = true
		close(h.over)
	}
}

// serve serves a stream, on the goroutine of its request: of subscriptions/listen with that id, or
// of a session if id is nil.
func (h *hub) serve(w http.ResponseWriter, r *http.Request, id json.RawMessage) {
	changed, first, last := `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`, "", ""
	if id != nil {
		about := `"_meta":{"io.modelcontextprotocol/subscriptionId":` + string(id) + `}`
		changed = `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{` + about + `}}`
		first = `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true},` + about + `}}`
		last = `{"jsonrpc":"2.0","id":` + string(id) + `,"result":{"resultType":"complete",` + about + `}}`
	}
	woken := make(chan struct{}, 1)
	h.mu.Lock()
	h.streams[woken] = struct{}{}
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		delete(h.streams, woken)
		h.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	out := http.NewResponseController(w)
	if writeEvent(w, first) != nil || out.Flush() != nil {
		return
	}
	for {
		select {
		case <-woken:
			if writeEvent(w, changed) != nil || out.Flush() != nil {
				return
			}
		case <-h.over:
			_ = writeEvent(w, last) // the response ends either way
			return
		case <-r.Context().Done():
			return
		}
	}
}

// writeEvent writes a message, or a comment if there is none.
func writeEvent(w io.Writer, message string) error {
	if message == "" {
		_, err := io.WriteString(w, ":\n\n")
		return err
	}
	_, err := io.WriteString(w, "data: "+message+"\n\n")
	return err
}
