package server

// itemKind says what an item asks of the loop.
type itemKind uint8

const (
	itemNotify   itemKind = iota // a call sends the notification in buf
	itemPrepared                 // a worker has prepared the message
	itemFull                     // notifications of a call are refused because of MaxUnsent
	itemReturn                   // the worker returns the job, with its answer: the last item

	// The other kinds are for earlier revisions. They may come from any loop.
	itemPark   // the worker has let go of a call that has asked its client
	itemAnswer // the client has answered the question of a call; the answer is in buf
	itemCancel // the client has cancelled the call, or has disconnected if end is set
	itemEvents // a stream gets the events in buf, and ends if end is set; arg may be sseOpened

	// itemCloseStream means that the handler closes the stream of its call. arg is the time after
	// which the client may reconnect, in nanoseconds.
	itemCloseStream

	// itemEndStream means that another stream takes over from this one, that its session was
	// deleted, or that the handler of a resumed call closes it. arg is as for itemCloseStream.
	itemEndStream

	// These are of requests that net/http serves: see gate.
	itemOpen   // a request has come
	itemGone   // its client has disconnected, or takes nothing if arg is goneStalled
	itemPassed // its client has taken bytes that a conn waits for; h names the conn

	itemMoved     // the stream of a call was resumed elsewhere; arg is its number
	itemVerified  // it is known who has sent a request; flight says who
	itemSubscribe // the session of a stream has subscribed to uri, or has ended its subscription
)

// item is one message to a loop.
type item struct {
	kind itemKind
	end  bool
	gen  uint32 // the generation of the job, if the job may have been reused
	job  *job
	buf  *buffer // owned by the item; nil if there is none
	h    handle
	gate *gate
	arg  uint64
	uri  string

	flight *authFlight // of itemVerified
}

// itemCost is what an item counts for, in addition to its bytes.
const itemCost = 96

// cost returns what the item counts for in its inbox.
func (it *item) cost() int64 {
	n := itemCost + len(it.uri)
	if it.buf != nil {
		n += len(it.buf.B)
	}
	return int64(n)
}

// drainOrder asks a loop to end its connections.
type drainOrder struct {
	spread tick // the number of ticks within which streams end
}
