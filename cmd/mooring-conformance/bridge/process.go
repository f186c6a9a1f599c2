package bridge

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
)

// process is a server on stdio. Its methods may be called from any goroutine.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser

	mu    sync.Mutex
	next  int                  // the number of the next request
	calls map[string]*exchange // by the id, and by the progress token, that the server knows
	order []*exchange          // the requests in flight, oldest first
	rest  *exchange            // gets what belongs to no request; nil if nobody waits for it
	ended bool
}

// exchange is one request on its way. Its messages arrive in order, the response last.
type exchange struct {
	id       json.RawMessage // as the client wrote it
	token    json.RawMessage
	sent     string // the id that the server knows
	messages chan []byte
}

// message is what the bridge looks at in a message of the server.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		ProgressToken json.RawMessage `json:"progressToken"`
		Meta          struct {
			Subscription json.RawMessage `json:"io.modelcontextprotocol/subscriptionId"`
		} `json:"_meta"`
	} `json:"params"`
	Result struct {
		Meta struct {
			Subscription json.RawMessage `json:"io.modelcontextprotocol/subscriptionId"`
		} `json:"_meta"`
	} `json:"result"`
}

// start starts a server.
func start(command []string) (*process, error) {
	p := &process{cmd: exec.Command(command[0], command[1:]...), calls: make(map[string]*exchange)}
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.read(out)
	return p, nil
}

// close ends the server as a host on stdio does: it closes its input and waits.
func (p *process) close() {
	_ = p.in.Close()
	_ = p.cmd.Wait()
}

// send gives the server a message that has no response.
func (p *process) send(msg []byte) error {
	var line bytes.Buffer
	if err := json.Compact(&line, msg); err != nil {
		return err
	}
	line.WriteByte('\n')
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := p.in.Write(line.Bytes())
	return err
}

// notify gives the server a notification or a response of the client. A request that it cancels is
// named as the server knows it.
func (p *process) notify(msg []byte) error {
	var m struct {
		Method string
		Params struct{ RequestID json.RawMessage }
	}
	if json.Unmarshal(msg, &m) == nil && m.Method == "notifications/cancelled" {
		p.mu.Lock()
		for _, x := range p.order {
			if string(x.id) == string(m.Params.RequestID) {
				msg = replaced(msg, func(f fields) { f.set(json.RawMessage(x.sent), "params", "requestId") })
			}
		}
		p.mu.Unlock()
	}
	return p.send(msg)
}

// request gives the server a request. Clients that share the server may use the same ids and
// progress tokens, so the server gets others.
func (p *process) request(msg []byte) (*exchange, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(msg, &fields); err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.next++
	x := &exchange{id: fields["id"], sent: strconv.Itoa(p.next), messages: make(chan []byte, 1024)}
	fields["id"] = json.RawMessage(x.sent)
	fields["params"], x.token = exchangeToken(fields["params"], x.sent)
	p.calls[x.sent] = x
	p.order = append(p.order, x)
	p.mu.Unlock()
	out, err := json.Marshal(fields)
	if err == nil {
		err = p.send(out)
	}
	if err != nil {
		p.forget(x)
		return nil, err
	}
	return x, nil
}

// exchangeToken puts token in place of the progress token in params, if there is one, and returns
// the one that was there.
func exchangeToken(params json.RawMessage, token string) (out, was json.RawMessage) {
	var fields, meta map[string]json.RawMessage
	if json.Unmarshal(params, &fields) != nil || json.Unmarshal(fields["_meta"], &meta) != nil || meta["progressToken"] == nil {
		return params, nil
	}
	was = meta["progressToken"]
	meta["progressToken"] = json.RawMessage(token)
	fields["_meta"], _ = json.Marshal(meta)
	out, _ = json.Marshal(fields)
	return out, was
}

// cancel tells the server that the client has left.
func (p *process) cancel(x *exchange) {
	p.forget(x)
	_ = p.send(fmt.Appendf(nil, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%s}}`, x.sent))
}

func (p *process) forget(x *exchange) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forgetLocked(x)
}

func (p *process) forgetLocked(x *exchange) {
	delete(p.calls, x.sent)
	for i, o := range p.order {
		if o == x {
			p.order = append(p.order[:i:i], p.order[i+1:]...)
			break
		}
	}
}

// read gives each message of the server to the exchange that it belongs to.
func (p *process) read(out io.Reader) {
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 1 {
			p.deliver(bytes.TrimSpace(line))
		}
		if err != nil {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	for _, x := range p.order {
		close(x.messages)
	}
	p.order, p.calls = nil, nil
}

func (p *process) deliver(line []byte) {
	var m message
	if err := json.Unmarshal(line, &m); err != nil {
		fmt.Fprintf(os.Stderr, "bridge: the server wrote %.100q\n", line)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	subscription := m.Params.Meta.Subscription
	if subscription == nil {
		subscription = m.Result.Meta.Subscription
	}
	switch {
	case m.Method == "" && m.ID != nil: // a response
		if x := p.calls[string(m.ID)]; x != nil {
			x.give(replaced(line, func(f fields) {
				f.set(x.id, "id")
				if subscription != nil {
					f.set(x.id, "result", "_meta", "io.modelcontextprotocol/subscriptionId")
				}
			}))
			p.forgetLocked(x)
			close(x.messages)
		}
	case m.Params.ProgressToken != nil:
		if x := p.calls[string(m.Params.ProgressToken)]; x != nil {
			x.give(replaced(line, func(f fields) { f.set(x.token, "params", "progressToken") }))
		}
	case subscription != nil:
		if x := p.calls[string(subscription)]; x != nil {
			x.give(replaced(line, func(f fields) {
				f.set(x.id, "params", "_meta", "io.modelcontextprotocol/subscriptionId")
			}))
		}
	case len(p.order) > 0:
		p.order[len(p.order)-1].give(line)
	case p.rest != nil:
		p.rest.give(line)
	}
}

func (x *exchange) give(msg []byte) {
	select {
	case x.messages <- msg:
	default: // a client that does not read
	}
}

// fields is a JSON object with the values that replaced changes.
type fields map[string]any

// set sets the value at path, whose parents exist.
func (f fields) set(v json.RawMessage, path ...string) {
	for _, name := range path[:len(path)-1] {
		next, ok := f[name].(map[string]any)
		if !ok {
			return
		}
		f = next
	}
	f[path[len(path)-1]] = v
}

// replaced returns line with some values changed. Numbers keep their text.
func replaced(line []byte, change func(fields)) []byte {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	var f fields
	if err := dec.Decode(&f); err != nil {
		return line
	}
	change(f)
	out, err := json.Marshal(f)
	if err != nil {
		return line
	}
	return out
}
