package mcp

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

func TestHostileLines(t *testing.T) {
	s := newEchoServer(t, nil)
	ours, theirs := NewInMemoryTransports()
	ss, err := s.Connect(context.Background(), &IOTransport{Reader: ours, Writer: ours, MaxLineLength: 4096}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &lineClient{t: t, ss: ss, w: theirs, lines: make(chan string, 4096)}
	go c.read(theirs)
	deep := strings.Repeat("[", 2000)
	for _, session := range []bool{false, true} {
		id := `{"jsonrpc":"2.0","error"`
		if session {
			c.initialize("2025-03-26", `{}`)
			id = `"id":null`
		}
		for _, tt := range []struct{ line, want string }{
			{"{", "-32700"},
			{"\xff", "-32700"},
			{`{"jsonrpc":"2.0","id":1,"method":"x","params":` + deep, "-32700"},
			{"null", "-32600"},
			{`{"jsonrpc":"1.0","method":"x"}`, "-32600"},
			{`{"jsonrpc":"2.0","id":null,"method":"x"}`, "-32600"},
			{strings.Repeat("x", 4097), "-32600"},
			{strings.Repeat("x", 400000), "-32600"},
			{"[]", "-32600"},
			{"[1,", map[bool]string{true: "-32700", false: "-32700"}[session]},
		} {
			c.send(tt.line)
			c.want(tt.line[:min(20, len(tt.line))], id, tt.want)
		}
		c.send(`{"jsonrpc":"2.0","id":5,"method":7}`)
		c.want("an id that can be read", `"id":5`, "-32600")
		c.send("", " \t\r", `{"jsonrpc":"2.0","id":1,"result":{}}`, `{"jsonrpc":"2.0","error":{"code":1,"message":"x"}}`,
			`{"jsonrpc":"2.0","method":"unknown"}`, `{"jsonrpc":"2.0","method":"notifications/cancelled"}`)
		c.wantSilence("lines without an answer")
		c.send(modernCall(`6`, "echo", `{"text":"x"}`) + "\r")
		c.want("the session goes on", `"id":6,"result"`)
	}
	theirs.Close()
	if err := ss.Wait(); err != nil {
		t.Errorf("Wait returned %v", err)
	}
}

func TestBatchOverAConnection(t *testing.T) {
	c := dial(t, newAskServer(t, nil), nil)
	c.send(`[{"jsonrpc":"2.0","id":1,"method":"ping"}]`)
	c.want("a batch without a session", "-32600")
	c.initialize("2025-03-26", `{"elicitation":{},"sampling":{}}`)
	c.send(`[{"jsonrpc":"2.0","id":1,"method":"ping"},7,` + call(`2`, "echo", `{"text":"x"}`) + `,` + call(`2`, "echo", `{"text":"y"}`) + `,` +
		call(`3`, "wait", `{}`) + `,{"jsonrpc":"2.0","method":"notifications/initialized"}]`)
	c.want("progress", `notifications/progress`)
	c.wantSilence("a member is not answered")
	c.send(`[{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}]`)
	line := c.want("a batch", `{"jsonrpc":"2.0","id":1,"result":{}}`, `"id":null,"error"`, `"id":2`)
	if !strings.HasPrefix(line, "[") || strings.Contains(line, `"id":3`) {
		t.Error(line)
	}
	c.send("[" + strings.Repeat(`{"jsonrpc":"2.0","method":"x"},`, maxBatch) + `{"jsonrpc":"2.0","method":"x"}]`)
	c.want("a long batch", "too many messages")
	c.send(`[{"jsonrpc":"2.0","method":"x"}]`)
	c.wantSilence("a batch of notifications")
}

// A client that reads nothing stops the server from reading, and in the end loses its session.
func TestClientThatDoesNotRead(t *testing.T) {
	s := newEchoServer(t, nil)
	ours, theirs := NewInMemoryTransports()
	ss, err := s.Connect(context.Background(), ours, &ServerSessionOptions{MaxUnsent: 1 << 20, WriteTimeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range []string{"inline", "echo"} {
		line := modernCall(`1`, tool, `{"text":"`+strings.Repeat("x", 800)+`"}`) + "\n"
		written := 0
		for {
			n, err := io.WriteString(theirs, line)
			if written += n; err != nil {
				break
			}
		}
		if tool == "inline" && written > 4<<20 {
			t.Errorf("the server has read %d bytes", written)
		}
	}
	if err := ss.Wait(); !errors.Is(err, errStalled) {
		t.Errorf("Wait returned %v", err)
	}
}

// The end of the input is seen although the client does not read.
func TestEndOfInputOfAClientThatDoesNotRead(t *testing.T) {
	s := newEchoServer(t, nil)
	in, w := io.Pipe()
	r, out := io.Pipe() // has no room: every write waits
	defer r.Close()
	ss, err := s.Connect(context.Background(), &IOTransport{Reader: in, Writer: out}, nil)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, modernCall(`1`, "inline", `{"text":"x"}`)+"\n")
	time.Sleep(5 * time.Millisecond)
	w.Close()
	begin := time.Now()
	if err := ss.Wait(); err != nil {
		t.Errorf("Wait returned %v", err)
	}
	if d := time.Since(begin); d > 3*endGrace {
		t.Errorf("the end took %v", d)
	}
}
