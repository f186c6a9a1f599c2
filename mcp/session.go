package mcp

import (
	"context"
	"math"
	"strconv"
	"sync"
	"time"

	json "github.com/goccy/go-json"
	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A ServerSession is the client's side of one request: what modern revisions say with
// every request, and earlier ones once for all of a session. Its methods may be called from any
// goroutine; once the request is answered they do nothing and return nil.
type ServerSession struct {
	rev     *revision
	reg     *registry
	id      string
	bits    CapabilityBits // in revisions with sessions
	client  string         // likewise
	logRank int            // the least severe that the client wants; 0: none
	bound   int            // the longest message that the transport sends; 0: without bound

	mu   sync.Mutex      // guards the rest, and that nothing is notified behind the answer
	sink Sink            // nil once the request is answered
	env  requestEnvelope // its slices may be read while sink is not nil
	told toldProgress
	buf  []byte

	caps     *ClientCapabilities
	info     *Implementation
	infoRead bool
}

// toldProgress is how far a client was told that its request is. It "MUST increase with
// each notification", also over the rounds of a handler that asks.
type toldProgress struct {
	last  float64
	moved bool // there is one
}

// open readies the session for a call with the envelope.
func (ss *ServerSession) open(rev *revision, env *requestEnvelope, w Sink) {
	ss.rev, ss.env, ss.logRank, ss.sink = rev, *env, env.logRank, w
}

// close makes the session forget its sink: what is notified from now on is dropped.
// When it returns, no notification is under way. It returns what was told.
func (ss *ServerSession) close() toldProgress {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.sink = nil
	ss.env = requestEnvelope{}
	return ss.told
}

// ID returns the id of the session that the request belongs to; "" in modern
// revisions, which have none.
func (ss *ServerSession) ID() string { return ss.id }

// NotifyProgress tells the client how far the request is. It does nothing if the
// client did not ask for progress, or if p.Progress is not above what was told
// before; p.ProgressToken is ignored, for the request's own is the right one.
func (ss *ServerSession) NotifyProgress(_ context.Context, p *ProgressNotificationParams) error {
	return ss.progress(p.Progress, p.Total, p.Message)
}

func (ss *ServerSession) progress(progress, total float64, message string) error {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.sink == nil || ss.env.token == nil || !finite(progress) || ss.told.moved && progress <= ss.told.last {
		return nil
	}
	b := append(ss.buf[:0], `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":`...)
	b = append(b, ss.env.token...)
	b = appendFloat(append(b, `,"progress":`...), progress)
	if total > 0 && finite(total) {
		b = appendFloat(append(b, `,"total":`...), total)
	}
	if message != "" && ss.rev.wire.progressMessage {
		b = jsonrpc.AppendString(append(b, `,"message":`...), message)
	}
	ss.buf = append(b, `}}`...)
	if !ss.sink.Notify(ss.buf) {
		return ErrNotDelivered
	}
	ss.told = toldProgress{progress, true}
	return nil
}

// Log sends p to the client's log, with the messages of this request. It does nothing
// if the client did not ask for log messages of this level: on this request, or in
// earlier revisions for its session, where info and above are sent until it asks for
// something else.
func (ss *ServerSession) Log(_ context.Context, p *LoggingMessageParams) error {
	return ss.log(p.Level, p.Logger, p.Data)
}

func (ss *ServerSession) log(level LoggingLevel, logger string, data any) error {
	if rank := level.rank(); ss.logRank == 0 || rank < ss.logRank {
		return nil
	}
	text, err := json.MarshalWithOption(data, json.DisableHTMLEscape())
	if err != nil {
		return err
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.sink == nil {
		return nil
	}
	b := append(ss.buf[:0], `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"`...)
	b = append(b, level...) // has a rank, so it is one of the eight
	b = append(b, '"')
	if logger != "" {
		b = jsonrpc.AppendString(append(b, `,"logger":`...), logger)
	}
	b = append(append(b, `,"data":`...), text...)
	ss.buf = append(b, `}}`...)
	if !ss.sink.Notify(ss.buf) {
		return ErrNotDelivered
	}
	return nil
}

// CloseSSEStream ends the response under way. See [RequestExtra.CloseSSEStream].
func (ss *ServerSession) CloseSSEStream(args CloseSSEStreamArgs) { ss.closeStream(args.RetryAfter) }

func (ss *ServerSession) closeStream(retry time.Duration) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if w, ok := ss.sink.(StreamCloser); ok {
		w.CloseStream(max(retry, 0))
	}
}

func (ss *ServerSession) clientCapabilities() *ClientCapabilities {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.caps == nil && !ss.rev.requestMeta {
		ss.caps = ss.bits.clientCapabilities()
	}
	if ss.caps == nil {
		ss.caps = new(ClientCapabilities)
		if ss.env.caps != nil && !emptyObject(ss.env.caps) && decodeExact(ss.env.caps, ss.caps) != nil {
			*ss.caps = ClientCapabilities{} // what cannot be read is not declared
		}
	}
	return ss.caps
}

func (ss *ServerSession) clientInfo() *Implementation {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if !ss.infoRead {
		ss.infoRead = true
		if ss.client != "" {
			ss.info = &Implementation{Name: ss.client}
		}
		var info Implementation
		if ss.env.info != nil && decodeExact(ss.env.info, &info) == nil {
			ss.info = &info
		}
	}
	return ss.info
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// appendFloat appends f, which is finite, as a JSON number.
func appendFloat(dst []byte, f float64) []byte {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return strconv.AppendInt(dst, int64(f), 10)
	}
	return strconv.AppendFloat(dst, f, 'g', -1, 64)
}
