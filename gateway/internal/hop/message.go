package hop

import (
	"bytes"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// take passes on the messages of data, a message or a batch of the revision 2025-03-26, that came
// on the stream of j, or of the session if j is nil. It reports whether all were valid.
func (l *Link) take(j *job, data []byte) bool {
	if !jsonrpc.IsBatch(data) {
		return l.one(j, bytes.TrimSpace(data))
	}
	if _, err := jsonrpc.DecodeBatch(data); err != nil {
		l.u.stats.strays.Add(1)
		return false
	}
	valid := true
	for element := range jsonrpc.Elements(data) {
		valid = l.one(j, element) && valid
	}
	return valid
}

// one is take for one message.
func (l *Link) one(j *job, data []byte) bool {
	var env jsonrpc.Envelope
	if err := env.Decode(data); err != nil {
		l.u.stats.strays.Add(1)
		return false
	}
	on := int64(0)
	if j != nil {
		on = j.id
	}
	switch env.Kind {
	case jsonrpc.KindRequest, jsonrpc.KindNotification:
		if !l.listening(j) {
			l.u.stats.strays.Add(1)
			return true
		}
	default:
		if id, ok := jsonrpc.IntValue(env.ID); !ok || !l.answered(j, id) {
			l.u.stats.strays.Add(1)
			return true
		}
	}
	l.r.Receive(on, data)
	return true
}
