package main

import "syscall"

// ownGroup keeps a terminal's signals from nginx, and ends it if its parent is killed.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
