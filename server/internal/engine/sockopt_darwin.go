package engine

import "golang.org/x/sys/unix"

// keepAliveIdleOption sets the time of silence before the first probe, in seconds.
const keepAliveIdleOption = unix.TCP_KEEPALIVE

func tuneSocketOS(int) error { return nil }

// DuplicateTo makes to, which is open, a duplicate of from.
func DuplicateTo(from, to int) error {
	if err := unix.Dup2(from, to); err != nil {
		return err
	}
	unix.CloseOnExec(to)
	return nil
}
