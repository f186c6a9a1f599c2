package child

import (
	"testing"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

type discard struct{ messages int }

func (d *discard) Receive(int64, []byte)     { d.messages++ }
func (d *discard) Failed(int64, *link.Error) {}
func (d *discard) Lost(*link.Error)          {}

// Cutting lines, classifying messages and delivering them allocates nothing; a request allocates
// what is known of it until its response comes.
func TestAllocs(t *testing.T) {
	s, err := NewServer(NewNursery(NurseryOptions{}), Options{Command: "none"})
	if err != nil {
		t.Fatal(err)
	}
	d := new(discard)
	c := newChild(s, d)
	var in lines
	in.max = 8 << 20
	defer in.close()
	text := []byte(`{"jsonrpc":"2.0","method":"notifications/progress","params":{}}` + "\n" + `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}` + "\r\n")
	m := &link.Message{Kind: link.Request, ID: 1, Body: requestBody(1, "ping")}
	var out []byte
	run := func() {
		c.Send(m)
		out = c.queue.take(out[:0])
		copy(in.space(), text)
		in.wrote(len(text))
		for {
			line, _, ok := in.next()
			if !ok {
				break
			}
			c.receiveLine(line)
		}
	}
	if n := testing.AllocsPerRun(1000, run); n > 1 {
		t.Errorf("%v allocations, want 1", n)
	}
	if c.requests.len() != 0 || d.messages != 2*1001 {
		t.Errorf("%d in flight, %d messages", c.requests.len(), d.messages)
	}
}
