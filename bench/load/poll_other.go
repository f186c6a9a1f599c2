//go:build !linux

package load

import (
	"errors"
	"net/netip"
	"time"
)

var errSystem = errors.New("needs Linux (epoll)")

type readiness struct {
	slot, gen                  uint32
	readable, writable, hungUp bool
}

type poller struct{}

func newPoller() (poller, error)                             { return poller{}, errSystem }
func (*poller) close()                                       {}
func (*poller) wake()                                        {}
func (*poller) add(int, uint32, uint32) error                { return errSystem }
func (*poller) modify(int, uint32, uint32, bool, bool)       {}
func (*poller) wait([]readiness, time.Duration) (int, error) { return 0, errSystem }

func sysConnect(netip.AddrPort, netip.Addr, *Dial) (int, error) { return -1, errSystem }
func sysConnected(int) error                                    { return errSystem }
func sysRead(int, []byte) (int, error)                          { return 0, errSystem }
func sysWrite(int, []byte) (int, error)                         { return 0, errSystem }
func sysClose(int)                                              {}
func sysCloseWrite(int)                                         {}
func sysLinger0(int)                                            {}
func sysMute(int) error                                         { return errSystem }
func isAgain(error) bool                                        { return false }
func isReset(error) bool                                        { return false }
func monotonic() int64                                          { return time.Now().UnixNano() }
