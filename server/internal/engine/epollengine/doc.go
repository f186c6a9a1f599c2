// Package epollengine is an engine for Linux: an epoll instance and a goroutine for each loop. It
// alone knows epoll and the system calls of a loop's turn. Elsewhere New returns an error.
package epollengine
