package mcp

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A foreignTransport is one that another package could have: its connection knows only Go values.
type foreignTransport struct{ rwc io.ReadWriteCloser }

func (t *foreignTransport) Connect(context.Context) (Connection, error) {
	return &foreignConn{r: bufio.NewReader(t.rwc), rwc: t.rwc}, nil
}

type foreignConn struct {
	r   *bufio.Reader
	rwc io.ReadWriteCloser
	mu  sync.Mutex // held in Write
}

func (c *foreignConn) Read(context.Context) (jsonrpc.Message, error) {
	line, err := c.r.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	return jsonrpc.DecodeMessage(line)
}

func (c *foreignConn) Write(_ context.Context, m jsonrpc.Message) error {
	text, err := jsonrpc.EncodeMessage(m)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err = c.rwc.Write(append(text, '\n'))
	return err
}

func (c *foreignConn) Close() error { return c.rwc.Close() }

func (c *foreignConn) SessionID() string { return "foreign-7" }

// drive makes a client use all that a connection has.
func drive(c *lineClient) {
	c.send(modernCall(`1`, "byReturn", `{"Ask":true}`))
	c.want("modern", `"id":1`, `"input_required"`)
	c.initialize("2025-11-25", `{"elicitation":{}}`)
	for _, tool := range []string{"inline", "echo"} {
		c.send(call(`"two"`, tool, `{"text":"a\nb"}`))
		c.want("legacy", `"id":"two"`, `a\\nb`)
	}
	c.send(call(`3`, "waiting", `{"Ask":true}`))
	line := c.want("a question", `"method":"elicitation/create"`)
	c.send(`{"jsonrpc":"2.0","id":` + idOfRequest(line) + `,"result":{"action":"decline"}}`)
	c.want("answered", `"id":3`, `decline`)
	c.send(modernLine(`4`, "tools/list", ""))
	c.want("a list", `"id":4`, `"byReturn"`)
}

func dialOver(t *testing.T, s *Server, over func(*InMemoryTransport) Transport) *lineClient {
	t.Helper()
	ours, theirs := NewInMemoryTransports()
	ss, err := s.Connect(context.Background(), over(ours), nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &lineClient{t: t, ss: ss, w: theirs, lines: make(chan string, 64)}
	go c.read(theirs)
	t.Cleanup(func() { theirs.Close() })
	return c
}

func TestForeignConnection(t *testing.T) {
	ids := make(chan string, 1)
	s := newAskServer(t, &ServerOptions{InitializedHandler: func(_ context.Context, req *InitializedRequest) { ids <- req.Session.ID() }})
	c := dialOver(t, s, func(ours *InMemoryTransport) Transport { return &foreignTransport{ours} })
	drive(c)
	if id := <-ids; id != "foreign-7" || c.ss.ID() != id {
		t.Errorf("the session has the id %q, and %q in a handler", c.ss.ID(), id)
	}
	c.send("{") // its Read returns an error, which ends the session
	c.wantEnd("after an error of Read")
	var e *jsonrpc.Error
	if err := c.ss.Wait(); !errors.As(err, &e) || e.Code != jsonrpc.CodeParseError {
		t.Errorf("Wait returned %v", err)
	}
}

func TestLoggingTransport(t *testing.T) {
	for _, foreign := range []bool{false, true} {
		var log bytes.Buffer
		s := newAskServer(t, nil)
		c := dialOver(t, s, func(ours *InMemoryTransport) Transport {
			if foreign {
				return &LoggingTransport{&foreignTransport{ours}, &log}
			}
			return &LoggingTransport{ours, &log}
		})
		drive(c)
		c.ss.Close()
		c.wantEnd("after Close")
		for _, want := range []string{
			"read: {\"jsonrpc\":\"2.0\",\"id\":\"init\"", "write: {\"jsonrpc\":\"2.0\",\"id\":\"init\"", "write: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"elicitation/create\"",
			"read: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"action\":\"decline\"}}",
		} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("foreign %v: no %s in the log:\n%s", foreign, want, &log)
			}
		}
	}
}

// A Connection of this package can be used without a Server, as a client's end is.
func TestConnectionOfAClient(t *testing.T) {
	s := newAskServer(t, nil)
	ours, theirs := NewInMemoryTransports()
	ss, err := s.Connect(t.Context(), ours, nil)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := theirs.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	id, err := jsonrpc.MakeID("a")
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Write(t.Context(), &jsonrpc.Request{ID: id, Method: "ping"}); err != nil {
		t.Fatal(err)
	}
	m, err := conn.Read(t.Context())
	if r, ok := m.(*jsonrpc.Response); err != nil || !ok || r.ID != id || string(r.Result) != `{}` {
		t.Errorf("read %+v, %v", m, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := conn.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Read with a context that has ended: %v", err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	if _, err := conn.Read(t.Context()); err != io.EOF {
		t.Errorf("Read after Close: %v", err)
	}
	if err := conn.Write(t.Context(), &jsonrpc.Request{Method: "x"}); !errors.Is(err, ErrConnectionClosed) {
		t.Errorf("Write after Close: %v", err)
	}
	if err := ss.Wait(); err != nil {
		t.Errorf("Wait returned %v", err)
	}
}

// A session that begins with the state of an earlier one needs no initialize.
func TestStateOfASession(t *testing.T) {
	s := newAskServer(t, nil)
	c := dial(t, s, &ServerSessionOptions{State: &ServerSessionState{
		InitializeParams: &InitializeParams{
			ProtocolVersion: "2025-06-18", ClientInfo: &Implementation{Name: "n", Version: "3"},
			Capabilities: &ClientCapabilities{Elicitation: &ElicitationCapabilities{}},
		},
		InitializedParams: new(InitializedParams),
		LogLevel:          LevelError,
	}})
	c.send(call(`1`, "waiting", `{"Ask":true}`))
	line := c.want("a question", `"method":"elicitation/create"`)
	c.send(`{"jsonrpc":"2.0","id":` + idOfRequest(line) + `,"result":{"action":"decline"}}`)
	c.want("answered", `"id":1`, `decline`)
	touch(s)
	c.want("a notice", `prompts/list_changed`)
	_ = c.ss.Log(t.Context(), &LoggingMessageParams{Level: LevelInfo, Data: 1})
	c.wantSilence("a message below the level")
	if p := c.ss.InitializeParams(); p == nil || p.ClientInfo.Version != "3" {
		t.Errorf("InitializeParams returned %+v", p)
	}
}
