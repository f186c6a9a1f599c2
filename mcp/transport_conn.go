package mcp

import (
	"context"
	"errors"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A Transport makes one connection to a client that stays, such as the standard input and output
// of this process. See [Server.Run] and [Server.Connect]. HTTP is the business of package server.
type Transport interface {
	// Connect returns the connection. It is called once.
	Connect(ctx context.Context) (Connection, error)
}

// A Connection carries messages in both directions. The connections of this package's transports
// also move the bytes of messages as they are, which [Server.Connect] makes use of; a Connection of
// another package pays for Go values.
type Connection interface {
	// Read returns the next message. It must return when Close is called. Its error ends the
	// session; io.EOF means that the client has closed the connection.
	Read(ctx context.Context) (jsonrpc.Message, error)

	// Write sends a message. It may be called from several goroutines at once. Its error ends the
	// session.
	Write(ctx context.Context, m jsonrpc.Message) error

	// Close ends the connection. It may be called several times and from several goroutines.
	Close() error

	// SessionID returns the ID of the session, or "" if there is none.
	SessionID() string
}

// ErrConnectionClosed is the error for a message to a connection that has ended.
var ErrConnectionClosed = errors.New("mcp: connection closed")

// A textConn is what a session needs of its connection. A text is one message or one batch.
//
// One goroutine at a time calls next, fill and retain.
type textConn interface {
	// next returns the next text that has arrived, or nil if there is none. It is valid until the
	// next call of fill, or for ever if retain is called before that. The error errLineTooLong
	// stands for one text that was skipped.
	next() ([]byte, error)

	// fill waits for more. It returns an error when nothing more will come; next may still have
	// a last text then.
	fill(ctx context.Context) error

	// retain keeps all texts that next has returned valid.
	retain()

	// writeLines sends messages, each of them followed by a line feed. It is not called
	// concurrently.
	writeLines(ctx context.Context, lines []byte) error

	Close() error
	SessionID() string
}

// valueConn is a textConn over a Connection that knows only Go values.
type valueConn struct {
	Connection
	text []byte
}

func (c *valueConn) next() ([]byte, error) {
	text := c.text
	c.text = nil
	return text, nil
}

func (c *valueConn) fill(ctx context.Context) error {
	m, err := c.Read(ctx)
	if err == nil {
		c.text, err = jsonrpc.EncodeMessage(m)
	}
	return err
}

func (c *valueConn) retain() {} // every text has memory of its own

func (c *valueConn) writeLines(ctx context.Context, lines []byte) error {
	for line := range eachLine(lines) {
		if err := writeText(ctx, c.Connection, line); err != nil {
			return err
		}
	}
	return nil
}

// writeText writes the message or the batch that text holds. Members of a batch are written one by
// one.
func writeText(ctx context.Context, c Connection, text []byte) error {
	if jsonrpc.IsBatch(text) {
		for element := range jsonrpc.Elements(text) {
			if err := writeText(ctx, c, element); err != nil {
				return err
			}
		}
		return nil
	}
	m, err := jsonrpc.DecodeMessage(text)
	if err != nil {
		return err
	}
	return c.Write(ctx, m)
}
