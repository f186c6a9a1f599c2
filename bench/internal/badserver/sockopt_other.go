//go:build !linux

package badserver

import (
	"errors"
	"net"
	"time"
)

// giveUpAfter is supported only on Linux.
func giveUpAfter(*net.TCPConn, time.Duration) error {
	return errors.New("badserver: this needs Linux")
}
