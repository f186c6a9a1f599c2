package upstream

import (
	"testing"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

// An echoLink answers each call when it is told to, from buffers that it uses again.
type echoLink struct {
	*fakeLink
	ids []int64
	buf []byte
}

func (l *echoLink) Send(m *link.Message) {
	if m.Method != "tools/call" {
		l.fakeLink.Send(m)
		return
	}
	l.ids = append(l.ids, m.ID)
}

// A quietFront does nothing with what it gets.
type quietFront struct{ ends int }

func (*quietFront) Progress([]byte)     {}
func (*quietFront) Message([]byte)      {}
func (*quietFront) Question(*Question)  {}
func (*quietFront) Withdrawn(*Question) {}
func (f *quietFront) End(*End)          { f.ends++ }

// BenchmarkCall is one call through a Server, without the link: 64 are in flight at a time.
func BenchmarkCall(b *testing.B) {
	for _, modern := range []bool{false, true} {
		name := "legacy"
		if modern {
			name = "modern"
		}
		b.Run(name, func(b *testing.B) {
			var l *echoLink
			h := newHarbor(b, Options{})
			h.s.opts.Open = func(r link.Receiver, principal string) link.Link {
				l = &echoLink{fakeLink: h.open(r, principal, false).(*fakeLink)}
				return l
			}
			h.modern = modern
			h.s.Connect()
			h.run()
			params := []byte(`{"name":"x__echo","arguments":{"text":"hello"},"_meta":{"progressToken":1}}`)
			f := &quietFront{}
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; {
				for ; len(l.ids) < 64 && n < b.N; n++ {
					h.s.Start(&Call{
						Method: "tools/call", Params: params, Name: "echo", Replace: "name", Handler: f,
						ProgressToken: params[len(params)-3 : len(params)-2],
					})
				}
				for _, id := range l.ids {
					l.buf = append(l.buf[:0], `{"jsonrpc":"2.0","id":`...)
					l.buf = append(l.buf, itoa(id)...)
					l.buf = append(l.buf, `,"result":{"content":[{"type":"text","text":"hello"}]}}`...)
					l.r.Receive(id, l.buf)
				}
				l.ids = l.ids[:0]
			}
			b.StopTimer()
			if f.ends != b.N {
				b.Errorf("%d of %d calls have ended", f.ends, b.N)
			}
		})
	}
}
