package mcp

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"sync"
	"time"
)

// A CommandTransport is a [Transport] for clients that starts a server as a command, and speaks
// with it over its standard input and output.
type CommandTransport struct {
	Command *exec.Cmd

	// TerminateDuration is how long Close waits for the command to exit after its input has been
	// closed, and again after an interrupt, before it is killed. Default 5 s.
	TerminateDuration time.Duration
}

// Connect implements [Transport]. It starts the command.
func (t *CommandTransport) Connect(context.Context) (Connection, error) {
	out, err := t.Command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	in, err := t.Command.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := t.Command.Start(); err != nil {
		return nil, err
	}
	patience := t.TerminateDuration
	if patience <= 0 {
		patience = 5 * time.Second
	}
	return &commandConn{ioConn: newIOConn(out, in, 0), cmd: t.Command, patience: patience}, nil
}

// A commandConn is the connection to a command.
type commandConn struct {
	*ioConn
	cmd      *exec.Cmd
	patience time.Duration
	once     sync.Once
	err      error
}

// Close ends the command.
func (c *commandConn) Close() error {
	c.once.Do(func() { c.err = c.terminate() })
	return c.err
}

func (c *commandConn) terminate() error {
	_ = c.w.Close() // a command that has exited has closed it
	exited := make(chan error, 1)
	go func() { exited <- c.cmd.Wait() }()
	for _, end := range []func() error{
		func() error { return nil },
		func() error { return c.cmd.Process.Signal(os.Interrupt) },
		c.cmd.Process.Kill,
	} {
		if err := end(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			continue // not every system has interrupts
		}
		select {
		case err := <-exited:
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				return nil // whatever its exit code
			}
			return err
		case <-time.After(c.patience):
		}
	}
	return errors.New("mcp: the command does not end")
}
