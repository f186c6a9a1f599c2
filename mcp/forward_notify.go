package mcp

import (
	"strconv"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// Progress gives the client a notifications/progress of the upstream. Params are its params, which
// [jsonrpc.Envelope.Decode] has decoded. The client gets them with its own token. It reports
// whether the client was told: not if it does not want to know, if the progress is not greater than
// before, or if the client cannot take it.
func (f *Forward) Progress(params []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.c
	if c == nil || f.cause != nil || c.env.token == nil {
		return false
	}
	progress, ok := number(member(params, "progress"))
	if !ok || c.told.moved && progress <= c.told.last {
		return false
	}
	b := append(c.buf[:0], `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":`...)
	b = append(b, c.env.token...)
	for name, value := range jsonrpc.Members(params) {
		switch key := unescaped(name); string(key) {
		case "progressToken":
			continue
		case "message":
			if !c.rev.wire.progressMessage {
				continue
			}
		case "_meta":
			b = c.appendNoticeMeta(b, value)
			continue
		}
		b = append(appendName(b, name), value...)
	}
	if !f.notify(append(b, `}}`...)) {
		return false
	}
	c.told = toldProgress{progress, true}
	return true
}

// number returns the value of raw, and whether it is a finite JSON number.
func number(raw []byte) (float64, bool) {
	if len(raw) == 0 || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return 0, false
	}
	n, err := strconv.ParseFloat(string(raw), 64)
	return n, err == nil
}

// Message gives the client a notifications/message of the upstream. Params are its params, which
// [jsonrpc.Envelope.Decode] has decoded. It reports whether the client was told: not if it does not
// want messages of that level, or if it cannot take it.
func (f *Forward) Message(params []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.c
	if c == nil || f.cause != nil {
		return false
	}
	level, _ := stringOf(member(params, "level"))
	rank, least := LoggingLevel(level).rank(), c.logRank()
	if rank == 0 || least == 0 || rank < least {
		return false
	}
	b := append(c.buf[:0], `{"jsonrpc":"2.0","method":"notifications/message","params":{`...)
	for name, value := range jsonrpc.Members(params) {
		if string(unescaped(name)) == "_meta" {
			b = c.appendNoticeMeta(b, value)
			continue
		}
		b = append(appendName(b, name), value...)
	}
	return f.notify(append(b, `}}`...))
}

// appendNoticeMeta appends the part of meta that is not for one hop as the member _meta, if there
// is any and the revision has it.
func (c *Call) appendNoticeMeta(dst, meta []byte) []byte {
	if !c.rev.wire.meta {
		return dst
	}
	before := len(dst)
	dst = append(comma(dst), `"_meta":{`...)
	if empty := len(dst); len(appendRequestMeta(dst, meta)) == empty {
		return dst[:before]
	}
	return append(appendRequestMeta(dst, meta), '}')
}

// notify sends msg. It is called with f.mu held.
func (f *Forward) notify(msg []byte) bool {
	f.c.buf = msg[:0]
	oneLine(msg)
	return f.w.Notify(msg)
}

// levelOf returns the level with the rank, or "".
func levelOf(rank int) LoggingLevel {
	for _, l := range [...]LoggingLevel{LevelDebug, LevelInfo, LevelNotice, LevelWarning, LevelError, LevelCritical, LevelAlert, LevelEmergency} {
		if l.rank() == rank {
			return l
		}
	}
	return ""
}
