package server

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/session"
)

// job is one message, from its content to its response. Its loop owns it, except while a worker
// runs it: then the loop may only cancel it. The last post of the worker, itemReturn, returns
// everything to the loop.
type job struct {
	// The loop writes these before a worker gets the job; then both may read them.
	loop   *loop
	svc    *service // which the job holds
	h      handle
	stream bool // the client accepts an event stream
	json   bool // the client accepts a single message as JSON
	ctx    context.Context
	stop   context.CancelCauseFunc
	values context.Context // of the request, if net/http serves it; otherwise nil
	plain  bool            // the host wants a single message as the answer
	who    *identity

	account account // whom the message counts for; zero without quotas
	spent   spent   // which budget it has taken from
	counted bool    // it is counted as a call in flight of account. Whoever has the job writes it.

	// The loop alone uses these.
	method    mcp.Method    // MethodOther while only a worker can tell
	id        []byte        // the JSON text of the request's id in content; nil until it is known
	worker    *worker[*job] // the worker that runs the job
	preparing bool          // the worker runs prepareBig
	forwarded bool          // an upstream answers the call: see call_forward.go
	handed    bool          // a handler on a worker has seen content, which is then never reused
	gen       uint32        // distinguishes this use of the job from earlier ones

	head *RequestHead // for Options.Context; nil without it. The loop sets it.

	// These belong to the worker while it runs the job, otherwise to the loop.
	derived context.Context // the handlers', once it is known
	content *buffer         // the message; the call aliases it
	msg     jsonrpc.Envelope
	call    mcp.Call
	meta    mcp.RequestMeta
	refusal *jsonrpc.Error // why the message was refused; nil if it was not
	prepped bool           // the worker has run prepareBig

	// Both use these.
	queued atomic.Int64  // bytes of notifications that were posted, but not written yet
	unsent atomic.Int64  // bytes that the kernel had not taken when last checked
	full   atomic.Bool   // the loop has been notified that there is no room
	over   atomic.Bool   // nobody waits for a forwarded call any more
	start  atomic.Uint32 // how far the start of a forwarded call is
	mu     sync.Mutex    // orders the posts of Notify and Respond
	done   bool          // Respond was called; guarded by mu

	// The arguments of the respond call. They belong to the loop after itemReturn.
	response []byte
	status   int // the HTTP status
	code     jsonrpc.Code
	opened   []byte // the ID of the session that the call has opened
	refused  int    // the HTTP status if a change to its session was refused; 0 for the usual one

	retry     int32  // Retry-After, for a response with status 429
	challenge []byte // WWW-Authenticate, for a response with status 401 or 403

	legacy legacyCall
}

const keepJobs = 256 // free jobs that a loop keeps

func (l *loop) takeJob() *job {
	if n := len(l.jobs); n > 0 {
		j := l.jobs[n-1]
		l.jobs[n-1] = nil
		l.jobs = l.jobs[:n-1]
		return j
	}
	return &job{loop: l}
}

func (l *loop) putJob(j *job) {
	l.unregister(j)
	j.setLink(linkAttached)
	// The name is kept for SessionInfo.UnmarshalBinary, which reuses it.
	info := mcp.SessionInfo{ClientName: j.legacy.ticket.Info.ClientName, ClientVersion: j.legacy.ticket.Info.ClientVersion}
	j.legacy = legacyCall{ticket: session.Ticket{Info: info}}
	j.gen++
	if j.handed {
		// The handler may have left its arguments, which alias content, with a goroutine.
		j.content = nil
	} else {
		j.content = release(j.content)
	}
	j.handed, j.forwarded = false, false
	j.over.Store(false)
	j.call.Reset()
	j.msg = jsonrpc.Envelope{}
	j.meta = mcp.RequestMeta{}
	if j.svc != nil {
		j.svc.release()
	}
	j.svc = nil
	j.h, j.method, j.id = handle{}, mcp.MethodOther, nil
	j.ctx, j.stop, j.worker = nil, nil, nil
	j.values, j.plain, j.who = nil, false, nil
	j.head, j.derived = nil, nil
	j.done, j.prepped, j.preparing, j.refusal = false, false, false, nil
	j.response, j.status, j.code = nil, 0, 0
	j.opened, j.refused, j.challenge = nil, 0, nil
	j.account, j.spent, j.retry = account{}, 0, 0
	j.queued.Store(0)
	j.unsent.Store(0)
	j.full.Store(false)
	if len(l.jobs) < keepJobs {
		l.jobs = append(l.jobs, j)
	}
}

// cancel ends the context of a call that a worker runs, or tells the upstream of the call.
func (j *job) cancel(cause error) {
	switch {
	case j.forwarded:
		j.over.Store(true)
		j.call.CancelForward(cause)
	case j.stop != nil:
		j.stop(cause)
	}
}
