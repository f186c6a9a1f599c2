//go:build !linux

package main

import "syscall"

// ownGroup keeps a terminal's signals from nginx.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
