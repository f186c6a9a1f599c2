package server

import (
	"context"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

// Options configure a Server. New copies them. Unless a field says otherwise, zero means its
// default and a negative value turns the limit off.
type Options struct {
	// Path is the path of the MCP endpoint. Default "/mcp".
	Path string
	// SSEPath is the path of the HTTP+SSE transport of 2024-11-05, for example "/sse". Clients
	// post messages to SSEPath + "/message". SSEPath must differ from Path. All responses of a
	// session share its one stream, so that up to MaxUnsent and MaxResponse bytes together may
	// wait for its reader. By default the transport is not served.
	SSEPath string
	// Other serves the requests with any other path, /healthz and /readyz included, on net/http: the
	// connection leaves its event loop for good, with a goroutine of its own. It counts against
	// MaxConnections, and HeadTimeout, IdleTimeout, MaxHead and MaxFields apply. BodyTimeout limits
	// the time in which a client sends none of the content that the handler reads, and WriteTimeout
	// works as on a loop. The length of content, and which hosts and origins may call, are the
	// handler's to limit. Requests for an endpoint on such a connection are served as by ServeHTTP.
	// A method that RFC 9110 and 5789 do not name gets 501. Health checks can be served by
	// [Server.Ready], or by package admin. By default other paths get 404.
	Other http.Handler
	// SocketMode is the permissions of the file of a unix socket that Listen creates, for example
	// 0o660. Whoever may write to the file may connect. Default: 0o777 without the bits of the
	// umask.
	SocketMode fs.FileMode
	// Engine is the event loop to use: EngineGnet or, on Linux, EngineEpoll. Default EngineGnet.
	Engine Engine
	// Loops is the number of event loops. Default GOMAXPROCS, at most 256. If every processor that
	// Go uses runs a busy loop, clients wait for tens of milliseconds to be accepted. A host that
	// expects full load sets GOMAXPROCS to one more than Loops, as the command does.
	Loops int
	// Logger receives what an operator should know. Disconnects are counted, not logged. Default
	// slog.Default().
	Logger *slog.Logger

	// AllowedOrigins are the values of Origin that may call. They are exact serialized origins
	// ("https://example.com"), or "*" for any. A request without Origin may always call. Default:
	// on a loopback or unix listener the loopback origins with any port; on others none. Any other
	// origin gets 403.
	AllowedOrigins []string
	// AllowedHosts are the hosts, without port, that requests may name; "*" allows any. Default:
	// on a loopback listener the loopback names; on others any. /healthz and /readyz are exempt.
	AllowedHosts []string

	// Scopes say which scopes the tokens of callers need for which operations. By default none are
	// needed.
	Scopes *Scopes

	// HandlerHeaders names the header fields that handlers get in RequestExtra.Header, inline or on a
	// worker; "*" stands for all. Each request copies them, so name only those that are needed, and
	// mind that all of them include credentials (Authorization, Cookie). By default there are none,
	// and nothing is copied. Requests that net/http serves come with all in any case.
	HandlerHeaders []string
	// Context derives the context of a call's handlers from ctx, which ends with the call, for
	// example to add values that middleware would have added. What it returns must derive from ctx;
	// nil stands for ctx. It runs on the call's worker, so it may wait, before a handler that runs
	// there, and before ServerOptions.Visible and completion; for a batch it runs once. It may run
	// twice for one request. An inline tool has no context, and Context is not called for it: see
	// HandlerHeaders. If it panics, the call gets error -32603. With Context or HandlerHeaders,
	// RequestExtra.RemoteAddr is set, which costs a system call for each request.
	Context func(ctx context.Context, head *RequestHead) context.Context

	// Authenticate makes the server serve only callers who prove who they are. By default everybody
	// is served.
	Authenticate *Authentication
	// PublicURL is the origin under which clients reach the server, such as
	// "https://mcp.example.com", without a path. It is part of protected resource metadata and of
	// the challenges that lead there.
	PublicURL string
	// ProxyProtocol names the addresses of the proxies that begin each connection with a header of
	// the PROXY protocol, version 1 or 2. The client that the header names is RemoteAddr. A
	// connection from such an address without a valid header is closed without an answer, and
	// HeadTimeout limits the time for the header too. Other connections are served as they are, so
	// a header from anywhere else is a malformed request. Serve and ServeTLS look at it. By
	// default there are no such proxies. With it, each connection takes a system call and some
	// hundred bytes more, and RequestExtra.RemoteAddr is set.
	ProxyProtocol []netip.Prefix
	// TrustedProxies names the addresses of the proxies whose X-Forwarded-For, X-Forwarded-Proto,
	// X-Forwarded-Host and Forwarded (RFC 7239) are believed: the right-most address that is not one
	// of theirs is RemoteAddr. They must append to X-Forwarded-For or Forwarded, or replace it. If a
	// request has both and they differ, or the entry of a proxy cannot be read, RemoteAddr is that of
	// the proxy. From all other peers, which Options.ProxyProtocol may name, these fields mean
	// nothing. By default no proxy is trusted. With it, RequestExtra.RemoteAddr is set.
	TrustedProxies []netip.Prefix

	// PerPrincipal limits what each principal has and does, PerAddress what all clients at one
	// address do together, at once or in a second. By default there are no such limits. PerAddress
	// is for servers whose clients have addresses of their own: behind a proxy that is not named in
	// ProxyProtocol or TrustedProxies all have its address. Connections of TrustedProxies are not
	// limited themselves; their requests and streams count for the address that they come from. With
	// PerAddress, each connection takes a system call more.
	PerPrincipal *ClientLimits
	PerAddress   *ClientLimits

	// MaxConnections is the maximum number of connections. A client above it gets 503 and is
	// disconnected. Default 1,000,000. If the descriptor limit of the process is lower, the server
	// stops accepting before that limit instead.
	MaxConnections int
	// MaxHandshakes is the maximum number of TLS handshakes in progress: see Server.ServeTLS. Above
	// it, the oldest is closed without a response if it has taken a second, and otherwise the new
	// connection. Default 1024.
	MaxHandshakes int
	// MaxStreams is the maximum number of open streams. A request above it gets 503. By default
	// only MaxConnections limits streams.
	MaxStreams int
	// MaxCalls is the maximum number of calls in flight, not counting those on event loops. A call
	// above it gets 503 and error -32603. Default 10,000.
	MaxCalls int
	// MaxRequestLine is the maximum length of a request line in bytes. A longer one gets 414.
	// Default 8 KiB.
	MaxRequestLine int
	// MaxHead is the maximum length of a request head in bytes. A longer one gets 431. Default 16
	// KiB, at most 64 KiB.
	MaxHead int
	// MaxFields is the maximum number of field lines in a head. A head with more gets 431. Default
	// 100.
	MaxFields int
	// MaxBody is the maximum length of request content in bytes. Longer content gets 413. Default
	// 4 MiB. This limit cannot be turned off.
	MaxBody int64
	// MaxPipelined is the maximum number of bytes that a client may send while it waits for a
	// response. A client that sends more is disconnected. Default 64 KiB.
	MaxPipelined int
	// MaxUnsent is the maximum number of bytes of notifications that may wait for a slow reader.
	// Above it, handlers get an error for their notifications, and a reader that takes nothing for
	// another second is disconnected. Change notices are never queued. A pipelined request waits
	// while more than 32 KiB of earlier responses wait for the reader, or more than MaxUnsent if
	// that is less. Default 1 MiB.
	MaxUnsent int
	// UnsentTotal is the maximum number of bytes that may wait for all slow readers together,
	// including the unused room in their buffers. Above it, the readers with the most waiting bytes
	// are disconnected. Bytes that the kernel has taken do not count; the system limits those
	// (net.ipv4.tcp_wmem, tcp_mem). Default 256 MiB.
	UnsentTotal int
	// MaxInbox is the maximum number of bytes that may wait for an event loop that is behind:
	// answers of clients, and messages for a stream of HTTP+SSE or of a resumed call that is on
	// another loop than their sender. Above it, a POST that would add to them gets 503, and
	// handlers get an error for their notifications. Default 16 MiB.
	MaxInbox int
	// AnswersTotal is the maximum number of bytes of clients' answers that may wait until their
	// handlers have run, for all calls together. One session may have a quarter of what the others
	// leave. Above either limit an answer gets 503 and may be sent again. Default 64 MiB.
	AnswersTotal int
	// MaxResponse is the maximum length of one response message in bytes. A longer one is replaced
	// by error -32603. Default 8 MiB.
	MaxResponse int

	// ModernOnly makes the server serve only revision 2026-07-28: no sessions, 405 for GET and
	// DELETE, and no HTTP+SSE.
	ModernOnly bool
	// SessionKeys seal the session IDs of earlier revisions. The first key seals, and every key
	// opens, so that replicas and a restarted process with the same keys accept each other's
	// sessions. Each key is a secret of at least 16 bytes, better 32. Default: one random key.
	SessionKeys [][]byte
	// SessionLifetime is the absolute lifetime of a session ID. Default 24 h.
	SessionLifetime time.Duration
	// SessionIdle is how long the log level and the subscriptions of a session are kept while it
	// has neither a request nor a stream. Default 1 h.
	SessionIdle time.Duration
	// MaxSessions is the maximum number of sessions with state: a stream, a call in flight, a log
	// level, subscriptions, or events to replay. Above it, the server drops the state of a session
	// that has only a log level, subscriptions or events; if there is none, the request gets 503.
	// Default 1,000,000.
	MaxSessions int
	// MaxRevoked is the maximum number of deleted session IDs that are remembered until they
	// expire. Default 1,000,000.
	MaxRevoked int
	// ReplayBytes, ReplayEvents and ReplayAge limit what is kept of the stream of a call for a
	// client that reconnects. Older events are dropped first. Default 1 MiB, 256 and 60 s.
	ReplayBytes  int
	ReplayEvents int
	ReplayAge    time.Duration
	// ReplayTotal is the maximum number of bytes kept for all these streams together. One session
	// gets a sixth of what the others leave, or 64 KiB. Default 64 MiB.
	ReplayTotal int

	// NoticeDelay is how long a change waits for others that are reported in the same notice.
	// Default 5 ms; negative means no delay.
	NoticeDelay time.Duration
	// Heartbeat is the time between two comments on a stream, within ±10 %. On the stream of a
	// call, any message postpones the next comment. A call that has not been answered after this
	// time becomes a stream if its client accepts one. Default 15 s.
	Heartbeat time.Duration
	// KeepAlive is how long a connection is silent before the kernel asks whether the peer is
	// still there, four times in a minute (TCP keepalive). It detects peers that disappeared
	// without a FIN where no heartbeat does. A stream with more frequent heartbeats does not need
	// it. Each of many connections with neither costs the kernel a packet in each direction in
	// this time. Default 60 s.
	KeepAlive time.Duration
	// HeadTimeout limits the time from the first byte of a request to the end of its head. A
	// request that takes longer gets 408. It also limits the time from accept to the first byte; a
	// connection that sends none is closed. Default 10 s.
	HeadTimeout time.Duration
	// HandshakeTimeout limits a TLS handshake, from accept. A connection whose handshake takes longer
	// is closed. Default HeadTimeout.
	HandshakeTimeout time.Duration
	// BodyTimeout limits the time from the end of the head to the end of the content. A request
	// that takes longer gets 408. Default 30 s.
	BodyTimeout time.Duration
	// IdleTimeout limits the time between two requests on a connection. Default 2 min.
	IdleTimeout time.Duration
	// CallTimeout limits a call. When it is over, the handler's context ends and the client gets
	// error -32603. Default 5 min.
	CallTimeout time.Duration
	// WriteTimeout limits the time in which a peer takes none of the bytes that wait for it.
	// Default 30 s.
	WriteTimeout time.Duration
	// DrainTimeout limits Shutdown, which ends streams over a part of this time. Default 10 s. A
	// context that ends earlier limits it too.
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
	r.ProxyProtocol = slices.Clone(r.ProxyProtocol)
	r.TrustedProxies = slices.Clone(r.TrustedProxies)
	r.HandlerHeaders = trimmed(r.HandlerHeaders, strings.TrimSpace)
	bound(&r.MaxConnections, 1_000_000)
	bound(&r.MaxHandshakes, 1024)
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
	bound(&r.HandshakeTimeout, r.HeadTimeout)
	bound(&r.BodyTimeout, 30*time.Second)
	bound(&r.IdleTimeout, 2*time.Minute)
	bound(&r.CallTimeout, 5*time.Minute)
	bound(&r.WriteTimeout, 30*time.Second)
	bound(&r.DrainTimeout, 10*time.Second)
	r.Authenticate = withAuthDefaults(r.Authenticate)
	r.PerPrincipal, r.PerAddress = withQuotaDefaults(r.PerPrincipal), withQuotaDefaults(r.PerAddress)
	return r
}

const maxInt = int(^uint(0) >> 1)

// bound replaces zero with the default, and a negative value with a limit that is never reached:
// for a time, some 13 years.
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

// forever is half of what ticks can count, which leaves room for additions.
const forever = time.Duration(1<<31) * tickUnit

// deadlines are the options in ticks.
type deadlines struct {
	heartbeat, head, body, idle, call, write, verify tick
}

func deadlinesOf(o *Options) deadlines {
	verify := tick(0)
	if a := o.Authenticate; a != nil {
		verify = wheel.Ticks(a.VerifyTimeout)
	}
	return deadlines{
		wheel.Ticks(o.Heartbeat), wheel.Ticks(o.HeadTimeout), wheel.Ticks(o.BodyTimeout),
		wheel.Ticks(o.IdleTimeout), wheel.Ticks(o.CallTimeout), wheel.Ticks(o.WriteTimeout), verify,
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
