// Package sockdiag counts the kernel's TCP sockets of a local port, by state. Tests use it to see that a connection has left the kernel's table, not only the server's.
//
// It asks the kernel by netlink (sock_diag(7)), so it exists on linux alone.
package sockdiag
