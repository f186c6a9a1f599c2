package badserver

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/mooring-mcp/mooring/sse"
)

// A stream is a client that listens.
type stream struct {
	id   []byte // of the request subscriptions/listen; nil: the stream is the GET of a session
	news chan struct{}

	// Guards the rest. With SlowFanout the goroutine of a change writes, otherwise only the
	// stream's own goroutine does.
	mu    sync.Mutex
	out   *http.ResponseController
	w     http.ResponseWriter
	ended bool // w must no longer be used
}

// A hub holds the open streams.
type hub struct {
	inTurn bool // SlowFanout

	mu      sync.Mutex // guards streams
	streams map[*stream]struct{}
	turn    sync.Mutex // held while streams are notified of a change, one after the other
}

func (h *hub) init(inTurn bool) {
	h.inTurn, h.streams = inTurn, map[*stream]struct{}{}
}

// open adds a stream and sends its first bytes. A change that comes before them waits until they
// are sent.
func (h *hub) open(st *stream, first []byte, limit time.Duration) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	h.mu.Lock()
	h.streams[st] = struct{}{}
	h.mu.Unlock()
	err := st.write(first, limit)
	if err != nil {
		h.remove(st)
		st.ended = true
	}
	return err
}

func (h *hub) remove(st *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.streams, st)
}

// changed notifies all streams that the tool list has changed. A notification that a stream has not
// sent yet stands for this change too.
func (h *hub) changed() {
	if !h.inTurn {
		h.mu.Lock()
		defer h.mu.Unlock()
		for st := range h.streams {
			select {
			case st.news <- struct{}{}:
			default:
			}
		}
		return
	}
	go func() {
		h.turn.Lock()
		defer h.turn.Unlock()
		h.mu.Lock()
		list := make([]*stream, 0, len(h.streams))
		for st := range h.streams {
			list = append(list, st)
		}
		h.mu.Unlock()
		for _, st := range list {
			_ = st.send(st.notice(padding), 0)
		}
	}()
}

// padding makes a notification so long that a few changes fill the buffers of a peer that does not
// read.
const padding = 16 << 10

// serveStream answers with a stream that lasts until the client disconnects or the server drains.
// id is that of the request, or nil.
func (s *Server) serveStream(w http.ResponseWriter, r *http.Request, id []byte) {
	st := &stream{id: id}
	st.w, st.out, st.news = w, http.NewResponseController(w), make(chan struct{}, 1)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusOK)
	limit := writeTime
	if s.faults[KeepDeadPeers] || s.faults[SlowFanout] {
		limit = 0
	}
	first := sse.AppendComment(nil, "")
	if st.id != nil {
		first = sse.AppendData(nil, []byte(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true},`+st.meta()+`}}`))
	}
	if s.hub.open(st, first, limit) != nil {
		return
	}
	defer s.hub.remove(st)
	defer st.end()
	if s.faults[BlocksHealth] {
		s.one.Unlock()
		defer s.one.Lock()
	}
	var tick <-chan time.Time
	if !s.faults[NeverHeartbeat] {
		t := time.NewTicker(heartbeat)
		defer t.Stop()
		tick = t.C
	}
	for {
		var err error
		select {
		case <-r.Context().Done():
			return
		case <-st.news:
			err = st.send(st.notice(0), limit)
		case <-tick:
			err = st.send(sse.AppendComment(nil, ""), limit)
		case <-s.drain:
			if st.id != nil {
				_ = st.send(sse.AppendData(nil, []byte(`{"jsonrpc":"2.0","id":`+string(st.id)+`,"result":{"resultType":"complete",`+st.meta()+`}}`)), limit)
			}
			return
		}
		if err != nil {
			return
		}
	}
}

// send writes and flushes. limit is how long the peer may take; zero: forever.
func (st *stream) send(b []byte, limit time.Duration) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.write(b, limit)
}

// write is send with mu held.
func (st *stream) write(b []byte, limit time.Duration) error {
	if st.ended {
		return net.ErrClosed
	}
	if limit > 0 {
		_ = st.out.SetWriteDeadline(time.Now().Add(limit))
	}
	if _, err := st.w.Write(b); err != nil {
		return err
	}
	return st.out.Flush()
}

// end is called when the stream's own goroutine returns. It waits for a write in progress.
func (st *stream) end() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.ended = true
}

// meta returns the member that messages on a stream of 2026-07-28 must have.
func (st *stream) meta() string {
	return `"_meta":{"io.modelcontextprotocol/subscriptionId":` + string(st.id) + `}`
}

// notice returns the event of a change. pad is how many bytes of padding it has.
func (st *stream) notice(pad int) []byte {
	params := ""
	if st.id != nil {
		params = st.meta()
	}
	if pad > 0 {
		if params != "" {
			params += ","
		}
		params += `"padding":"` + strings.Repeat("x", pad) + `"`
	}
	return sse.AppendData(nil, []byte(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{`+params+`}}`))
}
