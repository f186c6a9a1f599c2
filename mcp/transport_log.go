package mcp

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A LoggingTransport is a [Transport] that writes each message of another to Writer, one on each
// line.
type LoggingTransport struct {
	Transport Transport
	Writer    io.Writer
}

// Connect implements [Transport].
func (t *LoggingTransport) Connect(ctx context.Context) (Connection, error) {
	c, err := t.Transport.Connect(ctx)
	if err != nil {
		return nil, err
	}
	log := &messageLog{w: t.Writer}
	if b, ok := c.(byteConn); ok {
		return &loggingBytes{b, log}, nil
	}
	return &loggingConn{c, log}, nil
}

// A byteConn is a Connection that is also a textConn.
type byteConn interface {
	Connection
	textConn
}

// A messageLog writes messages to w.
type messageLog struct {
	mu sync.Mutex // held while w is written to
	w  io.Writer
}

func (l *messageLog) text(verb string, text []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.w, "%s: %s\n", verb, text)
}

func (l *messageLog) message(verb string, m jsonrpc.Message, err error) {
	if err == nil {
		var text []byte
		if text, err = jsonrpc.EncodeMessage(m); err == nil {
			l.text(verb, text)
			return
		}
	}
	l.text(verb+" error", []byte(err.Error()))
}

// loggingConn logs the messages of a Connection.
type loggingConn struct {
	Connection
	log *messageLog
}

func (c *loggingConn) Read(ctx context.Context) (jsonrpc.Message, error) {
	m, err := c.Connection.Read(ctx)
	c.log.message("read", m, err)
	return m, err
}

func (c *loggingConn) Write(ctx context.Context, m jsonrpc.Message) error {
	err := c.Connection.Write(ctx, m)
	c.log.message("write", m, err)
	return err
}

// loggingBytes logs the texts of a byteConn.
type loggingBytes struct {
	byteConn
	log *messageLog
}

func (c *loggingBytes) next() ([]byte, error) {
	text, err := c.byteConn.next()
	switch {
	case err != nil:
		c.log.text("read error", []byte(err.Error()))
	case text != nil:
		c.log.text("read", text)
	}
	return text, err
}

func (c *loggingBytes) fill(ctx context.Context) error {
	err := c.byteConn.fill(ctx)
	if err != nil {
		c.log.text("read error", []byte(err.Error()))
	}
	return err
}

func (c *loggingBytes) writeLines(ctx context.Context, lines []byte) error {
	err := c.byteConn.writeLines(ctx, lines)
	if err != nil {
		c.log.text("write error", []byte(err.Error()))
		return err
	}
	for line := range eachLine(lines) {
		c.log.text("write", line)
	}
	return nil
}

func (c *loggingBytes) Read(ctx context.Context) (jsonrpc.Message, error) {
	m, err := c.byteConn.Read(ctx)
	c.log.message("read", m, err)
	return m, err
}

func (c *loggingBytes) Write(ctx context.Context, m jsonrpc.Message) error {
	err := c.byteConn.Write(ctx, m)
	c.log.message("write", m, err)
	return err
}
