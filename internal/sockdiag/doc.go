// Package sockdiag counts the kernel's TCP sockets of a local port, by state. Tests use it to check
// that a connection has left the kernel's table, not only the server's.
//
// It asks the kernel through netlink (sock_diag(7)), so it exists only on Linux.
package sockdiag
