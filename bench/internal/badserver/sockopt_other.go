//go:build !linux

package badserver

import (
	"errors"
	"net"
	"time"
)

// giveUpAfter is known on Linux alone.
func giveUpAfter(*net.TCPConn, time.Duration) error {
	return errors.New("badserver: this needs Linux")
}
