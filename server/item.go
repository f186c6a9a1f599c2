package server

// itemKind says what an item asks of the loop.
type itemKind uint8

const (
	itemNotify   itemKind = iota // a notification of a call: buf
	itemPrepared                 // a worker has prepared the message
	itemFull                     // notifications of a call are refused for MaxUnsent
	itemReturn                   // the worker has let go of the call, whose answer is in the job: its last item

	// Of earlier revisions, from any loop.
	itemPark        // the worker has let go of a call that asked its client
	itemAnswer      // the client's answer: buf
	itemCancel      // the client has cancelled the call, or is gone if end
	itemCarry       // events for a stream: buf, end; arg: sseOpened
	itemCloseStream // the handler gives the connection of its call back: arg, nanoseconds
	itemEndStream   // another stream takes over, or the session is deleted, or the handler of a resumed call closes it: arg, nanoseconds
	itemMoved       // the stream of a call, arg, was resumed elsewhere
	itemSubscribe   // the stream's session listens to a resource, or no longer: uri
)

// item is one message to a loop.
type item struct {
	kind itemKind
	end  bool
	gen  uint32 // of the job, where it may have been reused
	job  *job
	buf  *buffer // owned by the item; nil where there is none
	h    handle
	arg  uint64
	uri  string
}

// itemCost is what an item counts for in addition to its bytes.
const itemCost = 96

// cost returns what the item counts for in its inbox.
func (it *item) cost() int64 {
	n := itemCost + len(it.uri)
	if it.buf != nil {
		n += len(it.buf.B)
	}
	return int64(n)
}

// drainOrder tells a loop to let go of its connections.
type drainOrder struct {
	spread tick // streams end within so many ticks
}
