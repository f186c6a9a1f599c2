package server

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/session"
)

// job is one message from its content to its response. Its loop owns it, but for the time a worker runs it: then the loop may only cancel it.
// Whoever ends Run posts itemReturn, and with it the loop takes everything back.
type job struct {
	loop      *loop
	h         handle
	method    mcp.Method // what the loop knows of it; MethodOther while only a worker can tell
	id        []byte     // of the request, likewise; JSON text in content
	content   *buffer    // the message; the call aliases it
	msg       jsonrpc.Message
	call      mcp.Call
	meta      mcp.RequestMeta
	stream    bool // the client takes an event stream
	json      bool // and a single message
	ctx       context.Context
	stop      context.CancelCauseFunc
	worker    *worker[*job]  // that runs it
	prepped   bool           // what it ran was prepareBig
	preparing bool           // it runs prepareBig; the loop's
	handed    bool           // a handler on a worker has seen content: it is never used again
	refusal   *jsonrpc.Error // of Prepare
	queued    atomic.Int64   // bytes of notifications posted and not yet with the socket
	unsent    atomic.Int64   // bytes with the socket that the kernel has not taken, when last looked at
	full      atomic.Bool    // the loop has been told that there is no room
	mu        sync.Mutex     // orders the posts of Notify and Respond
	done      bool           // Respond was called; guarded by mu
	answer    []byte         // what it was called with: with status and code the loop's after itemReturn
	status    int            // of HTTP
	code      jsonrpc.Code
	gen       uint32 // tells the job from an earlier use
	legacy    legacyCall
}

const keepJobs = 256

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
	j.legacy = legacyCall{ticket: session.Ticket{Info: mcp.SessionInfo{ClientName: j.legacy.ticket.Info.ClientName}}} // see UnmarshalBinary
	j.gen++
	if j.handed {
		j.content = nil // a handler that has returned may have left its arguments, which alias it, with a goroutine
	} else {
		j.content = release(j.content)
	}
	j.handed = false
	j.call.Reset()
	j.msg = jsonrpc.Message{}
	j.meta = mcp.RequestMeta{}
	j.h, j.method, j.id, j.ctx, j.stop, j.worker, j.done, j.prepped, j.refusal = handle{}, mcp.MethodOther, nil, nil, nil, nil, false, false, nil
	j.answer, j.status, j.code = nil, 0, 0
	j.queued.Store(0)
	j.unsent.Store(0)
	j.full.Store(false)
	if len(l.jobs) < keepJobs {
		l.jobs = append(l.jobs, j)
	}
}

// cancel ends the context of a call that a worker runs.
func (j *job) cancel(cause error) {
	if j.stop != nil {
		j.stop(cause)
	}
}
