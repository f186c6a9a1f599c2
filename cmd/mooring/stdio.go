package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/mooring-mcp/mooring/cmd/mooring/demo"
	"github.com/mooring-mcp/mooring/mcp"
)

// serveStdio serves one client on standard input and output until the input ends or a signal
// comes, and then returns nil. A second signal ends the process. The log goes to stderr.
func serveStdio(c *config, stderr io.Writer) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	keys, err := readKeys(c.keyFile)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	features := demo.New(ctx, build().Version, newLogger(c, stderr), keys...)
	defer features.Close()
	go func() {
		<-signals
		cancel()
		<-signals
		os.Exit(1)
	}()
	err = features.Run(ctx, &mcp.StdioTransport{MaxLineLength: int(c.maxBody)})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
