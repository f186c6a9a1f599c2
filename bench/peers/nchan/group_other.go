//go:build !linux

package main

import "syscall"

// ownGroup keeps signals of a terminal from nginx.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
