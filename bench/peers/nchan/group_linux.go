package main

import "syscall"

// ownGroup keeps signals of a terminal from nginx, and ends it if its parent is killed.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
