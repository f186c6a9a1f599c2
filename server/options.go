package server

import (
	"io/fs"
	"log/slog"
	"runtime"
	"strings"
	"time"

	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

// Options configure a Server. New copies them. Unless a field says otherwise, zero means its default and a negative value turns the bound off.
type Options struct {
	// Path of the MCP endpoint. Default "/mcp".
	Path string
	// SSEPath is the path of the HTTP+SSE transport of 2024-11-05, for example "/sse"; messages are posted to SSEPath + "/message". It must differ from Path.
	// All responses of a session share its one stream, so that MaxUnsent and MaxResponse bytes together may wait for its reader. Default: the transport is not served.
	SSEPath string
	// SocketMode is the permissions of the file of a unix socket that Listen makes, for example
	// 0o660: who may write to it may connect. Default: 0o777 less the umask.
	SocketMode fs.FileMode
	// Engine is what waits for the sockets: EngineGnet or, on Linux, EngineEpoll. Default EngineGnet.
	Engine Engine
	// Loops is the number of event loops. Default GOMAXPROCS, at most 256. Where all processors
	// of Go run loops, and these are busy, clients wait for tens of milliseconds to be accepted;
	// a host whose load may be full sets GOMAXPROCS to one more than Loops, as the command does.
	Loops int
	// Logger receives what an operator should know; disconnects are counted, not logged. Default slog.Default.
	Logger *slog.Logger

	// AllowedOrigins are the values of Origin that may call, besides an absent one: exact serialized origins ("https://example.com"), or "*" for any.
	// Default: on a loopback or unix listener the loopback origins of any port; on others none. Anything else is answered 403.
	AllowedOrigins []string
	// AllowedHosts are the hosts, without port, that requests may name; "*" allows any. Default: on a loopback listener the loopback names; on others any.
	// /healthz and /readyz are exempt.
	AllowedHosts []string

	// MaxConnections is the number of connections served at once; one more is answered 503 and closed. Default 1,000,000.
	// Where the descriptor limit of the process is lower, accepting pauses before that limit instead.
	MaxConnections int
	// MaxStreams is the number of streams open at once; one more is answered 503. Default: no bound besides MaxConnections.
	MaxStreams int
	// MaxCalls is the number of calls in flight at once, those of event loops excepted; one more is answered 503 with -32603. Default 10,000.
	MaxCalls int
	// MaxRequestLine is the length of a request line in bytes, else 414. Default 8 KiB.
	MaxRequestLine int
	// MaxHead is the length of a request head in bytes, else 431. Default 16 KiB; at most 64 KiB.
	MaxHead int
	// MaxFields is the number of field lines of a head, else 431. Default 100.
	MaxFields int
	// MaxBody is the length of request content in bytes, else 413. Default 4 MiB. It cannot be turned off.
	MaxBody int64
	// MaxPipelined is the number of bytes that may arrive while a response is under way; a client that sends more is disconnected. Default 64 KiB.
	MaxPipelined int
	// MaxUnsent is the number of bytes of notifications that may wait for a slow reader. Beyond it handlers are told that theirs are not
	// taken, and a reader that takes nothing for a second more is disconnected. Change notices are never queued.
	// A pipelined request waits while more than 32 KiB of earlier responses do, or this if it is less. Default 1 MiB.
	MaxUnsent int
	// UnsentTotal is the number of bytes that may wait for all slow readers together, with what the buffers take besides. Beyond it those for whom most waits are disconnected. What the kernel has taken
	// does not count: that is bounded by the system (net.ipv4.tcp_wmem, tcp_mem). Default 256 MiB.
	UnsentTotal int
	// MaxInbox is the number of bytes that may wait for an event loop that is behind: messages for a stream of HTTP+SSE, or of a call that was resumed, on another loop than their sender's,
	// and answers of clients. Beyond it a POST that adds to them gets 503, and handlers are told that notifications are not taken. Default 16 MiB.
	MaxInbox int
	// AnswersTotal is the number of bytes of clients' answers that may wait, for all calls together, until their handlers have run. Beyond it, or beyond a quarter of what others
	// leave of it for one session, an answer gets 503 and may be sent again. Default 64 MiB.
	AnswersTotal int
	// MaxResponse is the length of one response message in bytes; a longer one is replaced by an error of code -32603. Default 8 MiB.
	MaxResponse int

	// ModernOnly serves revision 2026-07-28 alone: no sessions, 405 for GET and DELETE, and no HTTP+SSE.
	ModernOnly bool
	// SessionKeys seal the session ids of earlier revisions: the first seals, all open, so that replicas and a restarted process with the same keys know each other's sessions.
	// Each is a secret of at least 16 bytes, better 32. Default: a random one.
	SessionKeys [][]byte
	// SessionLifetime is the absolute lifetime of a session id. Default 24 h.
	SessionLifetime time.Duration
	// SessionIdle is how long a log level or subscriptions are kept for a session without request or stream. Default 1 h.
	SessionIdle time.Duration
	// MaxSessions is the number of sessions of which something is held: a stream, a call in flight, a log level, subscriptions, events to replay. Beyond it, those that hold
	// least are forgotten first, then requests are answered 503. Default 1,000,000.
	MaxSessions int
	// MaxRevoked is the number of deleted session ids that are remembered until they expire. Default 1,000,000.
	MaxRevoked int
	// ReplayBytes, ReplayEvents and ReplayAge bound what is kept of the stream of a call for a client that comes back; older events go first. Default 1 MiB, 256, 60 s.
	ReplayBytes  int
	ReplayEvents int
	ReplayAge    time.Duration
	// ReplayTotal bounds what is kept for all of them, in bytes; one session gets a sixth of what others leave, or 64 KiB. Default 64 MiB.
	ReplayTotal int

	// NoticeDelay is the time for which a change waits for others, to be told with them in one notice. Default 5 ms; negative: none.
	NoticeDelay time.Duration
	// Heartbeat is the time between two comments on a stream, within ±10 %; on that of a call what is sent puts them off. A call that has not answered by then becomes a
	// stream, if its client takes one. Default 15 s.
	Heartbeat time.Duration
	// KeepAlive is the time of silence after which the kernel asks whether a peer is still there, four times in a minute (TCP keepalive). It finds peers that are gone without a FIN where no heartbeat
	// does; a stream whose heartbeats come more often needs none. With many connections and neither, each costs the kernel a packet each way in this time. Default 60 s.
	KeepAlive time.Duration
	// HeadTimeout bounds the time from the first byte of a request to the end of its head, else 408, and before it the time from accept
	// to the first byte; a connection that sends none is closed. Default 10 s.
	HeadTimeout time.Duration
	// BodyTimeout bounds the time from the end of the head to the end of the content, else 408. Default 30 s.
	BodyTimeout time.Duration
	// IdleTimeout bounds the time between two requests on a connection. Default 2 min.
	IdleTimeout time.Duration
	// CallTimeout bounds a call: its context ends, and the client is answered -32603. Default 5 min.
	CallTimeout time.Duration
	// WriteTimeout bounds the time in which a peer takes no byte of what waits for it. Default 30 s.
	WriteTimeout time.Duration
	// DrainTimeout bounds Shutdown, streams being ended over part of it. Default 10 s. A context that ends earlier bounds it too.
	DrainTimeout time.Duration
}

func withDefaults(o *Options) Options {
	var r Options
	if o != nil {
		r = *o
	}
	if r.Path == "" {
		r.Path = "/mcp"
	}
	if r.Engine == "" {
		r.Engine = defaultEngine
	}
	if r.Loops <= 0 {
		r.Loops = runtime.GOMAXPROCS(0)
	}
	r.Loops = min(r.Loops, 256)
	if r.Logger == nil {
		r.Logger = slog.Default()
	}
	r.AllowedOrigins = trimmed(r.AllowedOrigins, strings.TrimSpace)
	r.AllowedHosts = trimmed(r.AllowedHosts, trimHost)
	bound(&r.MaxConnections, 1_000_000)
	bound(&r.MaxStreams, maxInt)
	bound(&r.MaxCalls, 10_000)
	bound(&r.MaxRequestLine, 8<<10)
	bound(&r.MaxHead, 16<<10)
	bound(&r.MaxFields, 100)
	if r.MaxBody <= 0 {
		r.MaxBody = 4 << 20
	}
	bound(&r.MaxPipelined, 64<<10)
	bound(&r.MaxUnsent, 1<<20)
	bound(&r.UnsentTotal, 256<<20)
	bound(&r.MaxInbox, 16<<20)
	bound(&r.AnswersTotal, 64<<20)
	bound(&r.MaxResponse, 8<<20)
	if r.NoticeDelay == 0 {
		r.NoticeDelay = 5 * time.Millisecond
	}
	bound(&r.SessionLifetime, 24*time.Hour)
	bound(&r.SessionIdle, time.Hour)
	bound(&r.MaxSessions, 1_000_000)
	bound(&r.MaxRevoked, 1_000_000)
	bound(&r.ReplayBytes, 1<<20)
	bound(&r.ReplayEvents, 256)
	bound(&r.ReplayAge, time.Minute)
	bound(&r.ReplayTotal, 64<<20)
	bound(&r.Heartbeat, 15*time.Second)
	bound(&r.KeepAlive, time.Minute)
	bound(&r.HeadTimeout, 10*time.Second)
	bound(&r.BodyTimeout, 30*time.Second)
	bound(&r.IdleTimeout, 2*time.Minute)
	bound(&r.CallTimeout, 5*time.Minute)
	bound(&r.WriteTimeout, 30*time.Second)
	bound(&r.DrainTimeout, 10*time.Second)
	return r
}

const maxInt = int(^uint(0) >> 1)

// bound replaces zero by the default and a negative value by a bound that is never reached: for a time some 13 years.
func bound[T int | time.Duration](v *T, def T) {
	switch {
	case *v == 0:
		*v = def
	case *v < 0:
		if _, isTime := any(*v).(time.Duration); isTime {
			*v = T(forever)
		} else {
			*v = T(maxInt)
		}
	}
}

// forever is as far as ticks reach, with room for additions.
const forever = time.Duration(1<<31) * tickUnit

// deadlines are the options in ticks.
type deadlines struct {
	heartbeat, head, body, idle, call, write tick
}

func deadlinesOf(o *Options) deadlines {
	return deadlines{
		wheel.Ticks(o.Heartbeat), wheel.Ticks(o.HeadTimeout), wheel.Ticks(o.BodyTimeout),
		wheel.Ticks(o.IdleTimeout), wheel.Ticks(o.CallTimeout), wheel.Ticks(o.WriteTimeout),
	}
}

// trimHost returns host as it is compared: without white space around it and without the
// brackets of an IPv6 address.
func trimHost(host string) string {
	host = strings.TrimSpace(host)
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok {
			return inner
		}
	}
	return host
}

// trimmed returns a copy of list with trim applied to each of its strings.
func trimmed(list []string, trim func(string) string) []string {
	if list == nil {
		return nil
	}
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = trim(s)
	}
	return out
}
