package upstream

import (
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
	"github.com/mooring-mcp/mooring/jsonrpc"
)

// hostileMessages are what an upstream may say instead of an answer to request 5. Ends says
// whether the call may end because of it.
var hostileMessages = []struct {
	msg  string
	ends bool
}{
	{``, false},
	{`{`, false},
	{`[]`, false},
	{`null`, false},
	{"{\"jsonrpc\":\"2.0\",\"id\":\"5\",\"result\":{}}", false},
	{`{"jsonrpc":"2.0","id":5.0,"result":{}}`, false},
	{`{"jsonrpc":"2.0","id":50,"result":{}}`, false},
	{`{"jsonrpc":"2.0","id":-5,"result":{}}`, false},
	{`{"jsonrpc":"2.0","id":0,"result":{}}`, false},
	{`{"jsonrpc":"2.0","id":99999999999999999999999999999999999999,"result":{}}`, false},
	{`{"jsonrpc":"2.0","id":{"id":5},"result":{}}`, false},
	{`{"jsonrpc":"2.0","id":null,"result":{}}`, false},
	{`{"jsonrpc":"2.0","error":{"code":-32603,"message":"x"}}`, false},
	{`{"jsonrpc":"2.0","id":5}`, true},
	{`{"jsonrpc":"2.0","id":5,"result":5}`, true},
	{`{"jsonrpc":"2.0","id":5,"result":null}`, true},
	{`{"jsonrpc":"2.0","id":5,"result":[]}`, true},
	{`{"jsonrpc":"2.0","id":5,"result":{},"error":{"code":1,"message":""}}`, true},
	{`{"jsonrpc":"2.0","id":5,"error":{}}`, true},
	{`{"jsonrpc":"2.0","id":5,"error":"no"}`, true},
	{`{"jsonrpc":"1.0","id":5,"result":{}}`, true},
	{`{"id":5,"result":{}}`, true},
	{`{"jsonrpc":"2.0","id":5,"result":{"a":1,"a":2}}`, true},
	{`{"jsonrpc":"2.0","id":5,"result":{"a":"` + "\xff" + `"}}`, true},
	{`{"jsonrpc":"2.0","id":5,"result":` + strings.Repeat(`{"a":`, 1000) + `1` + strings.Repeat(`}`, 1001), true},
	{`{"jsonrpc":"2.0","id":5,"result":` + strings.Repeat(`[`, 100_000), true},
	{`{"jsonrpc":"2.0","method":"notifications/progress"}`, false},
	{`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"5","progress":1}}`, false},
	{`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":50,"progress":1}}`, false},
	{`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":[5]}}`, false},
	{`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1e400}}`, false},
	{`{"jsonrpc":"2.0","method":"notifications/message"}`, false},
	{`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":7}}`, false},
	{`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5}}`, false},
	{`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{}}}`, false},
	{`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":{}}}`, false},
	{`{"jsonrpc":"2.0","method":"notifications/resources/updated"}`, false},
	{`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged"}`, false},
	{`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":5}}}`, false},
	{`{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":[]}}`, false},
	{`{"jsonrpc":"2.0","method":"","params":{}}`, false},
	{`{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{}}`, false},
	{`{"jsonrpc":"2.0","id":5,"method":"initialize","params":{"result":{}}}`, false},
	{`{"jsonrpc":"2.0","id":5,"method":"elicitation/create"}`, false},
	{`{"jsonrpc":"2.0","id":"` + strings.Repeat("x", 300) + `","method":"ping"}`, false},
}

// TestHostileUpstream sends each hostile message, on the stream of the session and on that of
// another call, while two calls wait.
func TestHostileUpstream(t *testing.T) {
	for _, stdio := range []bool{false, true} {
		for _, modern := range []bool{false, true} {
			for _, tt := range hostileMessages {
				bubble(t, func(t *testing.T) {
					h := newHarbor(t, Options{Stdio: stdio})
					h.modern = modern
					h.connect()
					token := func(c *Call) { c.ProgressToken = []byte(`"t"`) }
					a, b := h.call(token), h.call(token)
					l := h.last()
					calls := l.calls("tools/call")
					ida, idb := calls[0].ID, calls[1].ID
					msg := strings.ReplaceAll(tt.msg, "5", itoa(ida))
					l.says(0, msg)
					l.says(0, msg)
					if !stdio {
						l.says(idb, msg)
						l.says(9999, msg)
					}
					h.run()
					if a.ends > 0 && !tt.ends {
						t.Errorf("%.200s ends its call: %s %v", tt.msg, a.end.Error, a.end.Err)
					}
					if a.ends > 0 && a.end.Result != nil {
						t.Errorf("%.200s is a result: %s", tt.msg, a.end.Result)
					}
					if a.ends == 0 && tt.ends {
						t.Errorf("%.200s does not end its call", tt.msg)
					}
					if len(a.progress)+len(b.progress)+len(a.questions)+len(a.messages) > 0 {
						t.Errorf("%.200s gives %v %v %v", tt.msg, a.progress, a.messages, b.progress)
					}
					if b.ends > 0 && b.end.Result != nil {
						t.Errorf("%.200s ends the other call with %s", tt.msg, b.end.Result)
					}
					if b.ends == 0 {
						l.result(idb, `{"b":1}`)
						b.wantResult("the other call", `{"b":1}`)
					}
				})
			}
		}
	}
}

// TestAnswerOnStrangeStream checks that the response to a call is not taken from another's stream.
func TestAnswerOnStrangeStream(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.connect()
		a, b := h.call(), h.call()
		l := h.last()
		calls := l.calls("tools/call")
		l.says(calls[1].ID, `{"jsonrpc":"2.0","id":`+itoa(calls[0].ID)+`,"result":{}}`)
		if a.ends+b.ends != 0 {
			t.Errorf("ends %d and %d", a.ends, b.ends)
		}
		// An error that names no request is for that of the stream.
		l.says(calls[1].ID, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"x"}}`)
		if a.ends != 0 || string(b.end.Error) != `{"code":-32600,"message":"x"}` {
			t.Errorf("ends %d, %s", a.ends, b.end.Error)
		}
	})
}

// TestHostileBeginning answers the first requests with nonsense.
func TestHostileBeginning(t *testing.T) {
	results := []string{
		`{}`, `{"supportedVersions":"2026-07-28"}`, `{"supportedVersions":[{"2026-07-28":1}],"capabilities":7}`,
		`{"supportedVersions":["2026-07-28"]}`, `{"supportedVersions":["2026-07-28"],"capabilities":[],"_meta":7,"instructions":{}}`,
		`{"protocolVersion":7}`, `{"protocolVersion":"2025-06-18","capabilities":null,"serverInfo":7}`,
		`{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":"yes"},"resources":true,"logging":[]}}`,
		`{"tools":{}}`, `{"tools":[[[]]],"nextCursor":{}}`,
	}
	for _, result := range results {
		for _, stdio := range []bool{false, true} {
			bubble(t, func(t *testing.T) {
				h := newHarbor(t, Options{Stdio: stdio})
				h.script = func(l *fakeLink, m *link.Message) {
					if m.Kind == link.Request {
						l.result(m.ID, result)
					}
				}
				h.connect()
				f := h.call(func(c *Call) { c.Deadline = time.Now().Add(time.Minute) })
				h.after(2 * time.Minute)
				if f.ends != 1 {
					t.Errorf("%s: the call has ended %d times", result, f.ends)
				}
			})
		}
	}
}

// FuzzReceive checks that no message of an upstream makes the Server panic, or gives a call what
// is not its own.
func FuzzReceive(f *testing.F) {
	for _, tt := range hostileMessages {
		f.Add(tt.msg, uint8(0), false)
		f.Add(tt.msg, uint8(5), true)
	}
	f.Fuzz(func(t *testing.T, msg string, on uint8, modern bool) {
		bubble(t, func(t *testing.T) {
			h := newHarbor(t, Options{})
			h.modern = modern
			h.connect()
			a, b := h.call(as("", "", allClasses)), h.call(as("", "", allClasses))
			l := h.last()
			ids := l.calls("tools/call")
			l.says(int64(on), msg)
			h.run()
			for i, c := range []*front{a, b} {
				if c.ends == 0 {
					continue
				}
				id := ids[i].ID
				var env jsonrpc.Envelope
				_ = env.Decode([]byte(msg))
				if n, ok := jsonrpc.IntValue(env.ID); env.ID != nil && (!ok || n != id) && c.end.Err == nil {
					t.Errorf("%q ends call %d", msg, id)
				}
			}
		})
	})
}
