package mcp

import (
	"sync"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// maxBatch is the maximum number of messages in a batch of a connection.
const maxBatch = 100

// A servedBatch collects the responses to the members of a batch.
type servedBatch struct {
	mu   sync.Mutex // guards the rest
	left int        // members that have not ended, and one while they are being handled
	out  []byte     // the responses so far, after "["
}

// handleBatch handles an array of messages, which only sessions of 2025-03-26 have. Its members
// are handled like other messages, and answered together.
func (p *peer) handleBatch(term int, text []byte) {
	p.mu.Lock()
	allowed := p.rev != nil && p.rev.batches
	p.mu.Unlock()
	if !allowed {
		var m jsonrpc.Envelope
		p.refuse(nil, m.Decode(text).(*jsonrpc.Error))
		return
	}
	all, err := jsonrpc.DecodeBatch(text)
	if err == nil && all.Len() > maxBatch {
		err = errLongBatch
	}
	if err != nil {
		p.refuse(nil, err.(*jsonrpc.Error))
		return
	}
	b := &servedBatch{left: 1, out: []byte{'['}}
	var m jsonrpc.Envelope
	for err := range all.Messages(&m) {
		if err != nil {
			id := m.ID
			if id == nil {
				id = []byte("null")
			}
			b.add(jsonrpc.AppendError(nil, id, err.(*jsonrpc.Error)))
			continue
		}
		c := servedCalls.Get().(*servedCall)
		c.p, c.msg, c.batch = p, m, b
		b.join()
		c.serve(term)
	}
	b.leave(p, term)
}

func (b *servedBatch) join() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left++
}

// add adds the response of a member.
func (b *servedBatch) add(parts ...[]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.out) > 1 {
		b.out = append(b.out, ',')
	}
	for _, part := range parts {
		b.out = append(b.out, part...)
	}
}

// leave takes out a member that has ended. With the last one go the responses, if there are any.
func (b *servedBatch) leave(p *peer, term int) {
	b.mu.Lock()
	b.left--
	last := b.left == 0 && len(b.out) > 1
	b.mu.Unlock()
	if last { // so that nobody changes b.out any more
		p.out.put(b.out, []byte{']'})
		p.flush(term)
	}
}
