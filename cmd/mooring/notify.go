package main

import (
	"fmt"
	"log/slog"
	"net"
	"time"
)

// A serviceManager is the value of NOTIFY_SOCKET: the path of the unix datagram socket on which
// systemd, or another manager that supports sd_notify(3), receives the state of its service. An
// abstract name begins with @. The value is empty if there is no such manager.
type serviceManager string

// The states that a service reports.
const (
	stateReady    = "READY=1"
	stateStopping = "STOPPING=1"
)

// notifyTimeout limits the wait for a manager that does not read. After that the server continues.
const notifyTimeout = time.Second

// report sends a state to the manager, if there is one. It only logs a failure: the manager takes
// its own measures when its start timeout ends.
func (m serviceManager) report(state string, logger *slog.Logger) {
	if m == "" {
		return
	}
	if err := m.send(state); err != nil {
		logger.Warn("cannot notify the service manager", "state", state, "err", err)
	}
}

func (m serviceManager) send(state string) error {
	// Package net treats a leading @ as an abstract name on systems that have them.
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
