package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"
)

// LoggingHandlerOptions configure a [LoggingHandler].
type LoggingHandlerOptions struct {
	LoggerName string // the logger of the messages; "" for none

	// MinInterval is the time between two messages. Those that come earlier are dropped. 0 means no
	// limit.
	MinInterval time.Duration
}

// A LoggingHandler is a [slog.Handler] that writes to the log of a client: each record becomes a
// notifications/message whose data is the record as [slog.JSONHandler] writes it, without its
// level. The level of the message is the highest that is not above that of the record; see
// [LoggingLevel.Level].
type LoggingHandler struct {
	ss    *ServerSession
	name  string
	out   *loggingOutput // shared by what WithAttrs and WithGroup return
	inner slog.Handler   // writes to out.buf
}

// A loggingOutput is where the records of a LoggingHandler are written.
type loggingOutput struct {
	interval time.Duration

	mu   sync.Mutex // guards the rest
	buf  bytes.Buffer
	next time.Time // when the next message may be sent
}

// NewLoggingHandler returns a handler that writes to the client of ss. Nil opts are the defaults. A
// handler that is made for a request may be used by any goroutine and after the request has ended:
// it then writes nothing, or, on a connection with a session, to that session. In the handler of an
// inline tool it must not be kept, like the request.
func NewLoggingHandler(ss *ServerSession, opts *LoggingHandlerOptions) *LoggingHandler {
	h := &LoggingHandler{ss: ss, out: new(loggingOutput)}
	if opts != nil {
		h.name, h.out.interval = opts.LoggerName, opts.MinInterval
	}
	h.inner = slog.NewJSONHandler(&h.out.buf, &slog.HandlerOptions{
		Level: slog.Level(-1 << 31), // Enabled decides
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if _, ok := a.Value.Any().(slog.Level); ok && len(groups) == 0 && a.Key == slog.LevelKey {
				return slog.Attr{} // the message has it
			}
			return a
		},
	})
	return h
}

// Enabled reports whether the client wants messages of the level.
func (h *LoggingHandler) Enabled(_ context.Context, level slog.Level) bool {
	return h.ss != nil && h.ss.logs(loggingLevel(level))
}

// WithAttrs implements [slog.Handler].
func (h *LoggingHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	own := *h
	own.inner = h.inner.WithAttrs(attrs)
	return &own
}

// WithGroup implements [slog.Handler].
func (h *LoggingHandler) WithGroup(name string) slog.Handler {
	own := *h
	own.inner = h.inner.WithGroup(name)
	return &own
}

// Handle sends the record. It does nothing if the client does not want its level or if it comes too
// early. It returns [ErrNotDelivered] if the transport does not take the message. Ctx is what
// sending middleware gets.
func (h *LoggingHandler) Handle(ctx context.Context, r slog.Record) error {
	level := loggingLevel(r.Level)
	if h.ss == nil || !h.ss.logs(level) {
		return nil
	}
	data, err := h.out.encode(ctx, h.inner, r)
	if data == nil || err != nil {
		return err
	}
	return h.ss.Log(ctx, &LoggingMessageParams{Logger: h.name, Level: level, Data: data})
}

// encode returns the JSON of r as inner writes it, or nil if it comes too early.
func (o *loggingOutput) encode(ctx context.Context, inner slog.Handler, r slog.Record) (json.RawMessage, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.interval > 0 {
		now := time.Now()
		if now.Before(o.next) {
			return nil, nil
		}
		o.next = now.Add(o.interval)
	}
	o.buf.Reset()
	err := inner.Handle(ctx, r)
	return bytes.Clone(bytes.TrimSpace(o.buf.Bytes())), err
}

// slogLevels are the slog levels of the logging levels, the most severe first, as in the official
// SDK.
var slogLevels = [...]struct {
	own  LoggingLevel
	slog slog.Level
}{
	{LevelEmergency, slog.LevelError + 12},
	{LevelAlert, slog.LevelError + 8},
	{LevelCritical, slog.LevelError + 4},
	{LevelError, slog.LevelError},
	{LevelWarning, slog.LevelWarn},
	{LevelNotice, slog.LevelInfo + 2},
	{LevelInfo, slog.LevelInfo},
	{LevelDebug, slog.LevelDebug},
}

// loggingLevel returns the highest level that is not above l, and debug for lower ones.
func loggingLevel(l slog.Level) LoggingLevel {
	for _, level := range slogLevels {
		if l >= level.slog {
			return level.own
		}
	}
	return LevelDebug
}

// Level implements [slog.Leveler]: it returns the level of slog that stands for l. The four levels
// of slog are debug, info, warning and error; notice is 2 above info, and critical, alert and
// emergency are 4, 8 and 12 above error. What is not a level counts as debug.
func (l LoggingLevel) Level() slog.Level {
	for _, level := range slogLevels {
		if level.own == l {
			return level.slog
		}
	}
	return slog.LevelDebug
}
