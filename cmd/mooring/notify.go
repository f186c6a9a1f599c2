package main

import (
	"fmt"
	"log/slog"
	"net"
	"time"
)

// A serviceManager is the value of NOTIFY_SOCKET: the path of the unix datagram socket on which
// systemd, or another manager that speaks sd_notify(3), hears of its service's state. An abstract
// name begins with @. It is empty where there is no such manager.
type serviceManager string

// The states that a service reports.
const (
	stateReady    = "READY=1"
	stateStopping = "STOPPING=1"
)

// notifyTimeout bounds the wait for a manager that does not read. The server goes on without it.
const notifyTimeout = time.Second

// report sends a state to the manager, if there is one. A failure is logged: the manager then
// takes its own measures when its start timeout ends.
func (m serviceManager) report(state string, logger *slog.Logger) {
	if m == "" {
		return
	}
	if err := m.send(state); err != nil {
		logger.Warn("the service manager cannot be notified", "state", state, "err", err)
	}
}

func (m serviceManager) send(state string) error {
	// Package net takes a leading @ for an abstract name where the system has them.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: string(m), Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("NOTIFY_SOCKET: %w", err)
	}
	defer conn.Close()
	if err := conn.SetWriteDeadline(time.Now().Add(notifyTimeout)); err != nil {
		return err
	}
	_, err = conn.Write([]byte(state))
	return err
}
