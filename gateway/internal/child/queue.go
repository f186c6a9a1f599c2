package child

import (
	"bytes"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

// maxWrite is from how many bytes on a write is not made longer by another message. It is what a
// pipe takes at once.
const maxWrite = 64 << 10

// keptQueue is for how many messages the room of an empty queue is kept.
const keptQueue = 1024

// queue holds the messages that wait to be written.
type queue struct {
	messages []*link.Message // nil for those that were dropped
	first    uint64          // the place of messages[0]
	bytes    int             // what they cost
}

func cost(m *link.Message) int { return len(m.Body) + messageCost }

// push adds m and returns its place.
func (q *queue) push(m *link.Message) (place uint64) {
	q.messages = append(q.messages, m)
	q.bytes += cost(m)
	return q.first + uint64(len(q.messages)) - 1
}

// drop removes the message at place, and reports false if it was taken before.
func (q *queue) drop(place uint64) bool {
	i := place - q.first // beyond the end if the place was taken
	if i >= uint64(len(q.messages)) || q.messages[i] == nil {
		return false
	}
	q.bytes -= cost(q.messages[i])
	q.messages[i] = nil
	return true
}

// take appends the lines of the messages that go into one write, and removes them.
func (q *queue) take(dst []byte) []byte {
	n := 0
	for n < len(q.messages) && len(dst) < maxWrite {
		if m := q.messages[n]; m != nil {
			q.bytes -= cost(m)
			q.messages[n] = nil
			dst = appendLine(dst, m.Body)
		}
		n++
	}
	q.first += uint64(n)
	switch {
	case n < len(q.messages):
		q.messages = q.messages[n:]
	case cap(q.messages) > keptQueue:
		q.messages = nil
	default:
		q.messages = q.messages[:0]
	}
	return dst
}

// appendLine appends body and a line end. JSON may have line ends between its tokens, which become
// spaces here.
func appendLine(dst, body []byte) []byte {
	begin := len(dst)
	dst = append(dst, body...)
	for _, end := range []byte("\r\n") {
		line := dst[begin:]
		for i := bytes.IndexByte(line, end); i >= 0; i = bytes.IndexByte(line, end) {
			line[i] = ' '
			line = line[i+1:]
		}
	}
	return append(dst, '\n')
}
