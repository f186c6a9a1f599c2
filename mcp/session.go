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

// A ServerSession is the client's side of one request, or of a connection made by [Server.Connect]:
// what a client says with every request in modern revisions, and once for a whole session in
// earlier ones. Each request has a ServerSession of its own. Its methods may be called from any
// goroutine. Once the request is answered, those of a connection's session go on to work, and
// others do nothing and return nil.
type ServerSession struct {
	peer    *peer // the client of a connection; nil over HTTP
	inline  bool  // the request runs on an event loop
	rev     *revision
	reg     *registry
	caller  *Caller   // nil if everything is visible
	given   *approval // what middleware lets the transport do; nil where it does nothing
	id      string
	bits    CapabilityBits // what the client declared, in revisions with sessions
	client  clientOf       // its name and version, in revisions with sessions
	logRank int            // rank of the least severe level that the client wants; 0 for none
	bound   int            // length of the longest message that the transport sends; 0 for no limit

	mu   sync.Mutex      // guards the rest; held in Notify, so that nothing follows the answer
	sink Sink            // nil once the request is answered
	env  requestEnvelope // its slices may be read while sink is not nil
	told toldProgress
	buf  []byte

	caps     *ClientCapabilities
	info     *Implementation
	infoRead bool
}

// A Session is a session in the form that a [Request] has it: a *[ServerSession].
type Session interface {
	// ID returns the ID of the session, or "" if there is none.
	ID() string

	isSession()
}

func (*ServerSession) isSession() {}

// some returns ss, or a session of nothing if ss is nil. A request that no server serves, such as
// that of a handler's test, has no session.
func (ss *ServerSession) some() *ServerSession {
	if ss == nil {
		return new(ServerSession)
	}
	return ss
}

// toldProgress is the progress that was last reported to the client. Progress "MUST increase with
// each notification", even across the rounds of a handler that asks.
type toldProgress struct {
	last  float64
	moved bool // progress was reported
}

// open readies the session for a call with the envelope env.
func (ss *ServerSession) open(rev *revision, env *requestEnvelope, w Sink) {
	ss.rev, ss.env, ss.logRank, ss.sink = rev, *env, env.logRank, w
}

// close makes the session drop its sink, and with it all later notifications. When it returns, no
// notification is under way. It returns the progress reported so far.
func (ss *ServerSession) close() toldProgress {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.sink = nil
	ss.env = requestEnvelope{}
	return ss.told
}

// answered reports whether the session belongs to no request, or to one that is answered.
func (ss *ServerSession) answered() bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.sink == nil
}

// ID returns the ID of the session that the request belongs to. It is "" in modern revisions, which
// have no sessions.
func (ss *ServerSession) ID() string {
	ss = ss.some()
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.id
}

// NotifyProgress reports to the client how far the request is. It does nothing if the client did
// not ask for progress, or if p.Progress is not greater than what was reported before. It ignores
// p.ProgressToken and uses that of the request.
//
// Outside of a request it sends p as it is, if the client of a connection has a session.
func (ss *ServerSession) NotifyProgress(ctx context.Context, p *ProgressNotificationParams) error {
	if p == nil {
		p = new(ProgressNotificationParams)
	}
	if h := ss.sending(); h != nil {
		return ss.progressThrough(ctx, h, *p)
	}
	return ss.sendProgress(p)
}

// progressThrough sends p through h, unless the client wants no progress.
func (ss *ServerSession) progressThrough(ctx context.Context, h MethodHandler, p ProgressNotificationParams) error {
	ss.mu.Lock()
	token, answered := string(ss.env.token), ss.sink == nil
	ss.mu.Unlock()
	switch {
	case token != "":
		p.ProgressToken = idValue(token)
	case !answered || ss.peer == nil:
		return nil
	}
	return notifyThrough(ctx, ss, h, "notifications/progress", &p)
}

// sendProgress sends p, which has passed through middleware.
func (ss *ServerSession) sendProgress(p *ProgressNotificationParams) error {
	if ss = ss.some(); ss.peer != nil && !ss.modern() && ss.answered() {
		return ss.peer.progress(p)
	}
	return ss.report(p.Progress, p.Total, p.Message)
}

func (ss *ServerSession) progress(progress, total float64, message string) error {
	if h := ss.sending(); h != nil {
		return ss.progressThrough(context.Background(), h, ProgressNotificationParams{Progress: progress, Total: total, Message: message})
	}
	return ss.report(progress, total, message)
}

// report sends the progress of the request.
func (ss *ServerSession) report(progress, total float64, message string) error {
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

// Log sends p to the client's log, with the messages of this request. It does nothing if the
// client did not ask for log messages of this level. Clients ask with each request; in earlier
// revisions they ask for a session and get info and above until they do.
func (ss *ServerSession) Log(ctx context.Context, p *LoggingMessageParams) error {
	if p == nil {
		p = new(LoggingMessageParams)
	}
	if h := ss.sending(); h != nil {
		if !ss.logs(p.Level) {
			return nil
		}
		return notifyThrough(ctx, ss, h, "notifications/message", p)
	}
	return ss.sendLog(p)
}

// logs reports whether the client wants log messages of the level.
func (ss *ServerSession) logs(level LoggingLevel) bool {
	if ss = ss.some(); ss.peer != nil && !ss.modern() && ss.answered() {
		return ss.peer.logs(level)
	}
	return ss.logRank != 0 && level.rank() >= ss.logRank && !ss.answered()
}

// sendLog sends p, which has passed through middleware.
func (ss *ServerSession) sendLog(p *LoggingMessageParams) error {
	if ss = ss.some(); ss.peer != nil && !ss.modern() && ss.answered() {
		return ss.peer.log(p)
	}
	return ss.write(p.Level, p.Logger, p.Data)
}

func (ss *ServerSession) log(level LoggingLevel, logger string, data any) error {
	if ss.sending() != nil {
		return ss.Log(context.Background(), &LoggingMessageParams{Level: level, Logger: logger, Data: data})
	}
	return ss.write(level, logger, data)
}

// write sends a log message with the messages of the request.
func (ss *ServerSession) write(level LoggingLevel, logger string, data any) error {
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
	b = append(b, level...) // one of the eight levels, since it has a rank
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

// CloseSSEStream ends the HTTP response. See [ServerRequest.CloseSSEStream].
func (ss *ServerSession) CloseSSEStream(args CloseSSEStreamArgs) {
	ss.some().closeStream(args.RetryAfter)
}

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
	if ss.caps == nil && ss.rev != nil && !ss.rev.requestMeta {
		ss.caps = ss.bits.clientCapabilities()
	}
	if ss.caps == nil {
		ss.caps = new(ClientCapabilities)
		if ss.env.caps != nil && !emptyObject(ss.env.caps) && decodeExact(ss.env.caps, ss.caps) != nil {
			*ss.caps = ClientCapabilities{} // what cannot be decoded counts as not declared
		}
	}
	return ss.caps
}

func (ss *ServerSession) clientInfo() *Implementation {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if !ss.infoRead {
		ss.infoRead = true
		if ss.client.name != "" {
			ss.info = &Implementation{Name: ss.client.name, Version: ss.client.version}
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
