package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
)

// Listen listens on addr, which is host:port or unix:/path. It replaces a socket file that nobody
// serves any more. If the host has several addresses, Listen uses one of them, as net.Listen does;
// ListenAll uses all.
func (s *Server) Listen(addr string) (net.Listener, error) {
	// Keepalive and the other options are set on the listening socket. Accepted sockets inherit
	// them, which saves four system calls for each.
	lc := net.ListenConfig{KeepAlive: -1, Control: s.admission.Sockets.Control}
	// Sockets of a multipath listener, which is the default in Go, do not inherit all of them.
	lc.SetMultipathTCP(false)
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		return s.listenUnix(&lc, path)
	}
	l, err := lc.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	return l, nil
}

// listenUnix listens on a socket file with the mode in Options.SocketMode.
func (s *Server) listenUnix(lc *net.ListenConfig, path string) (net.Listener, error) {
	removeStaleSocket(path)
	mode := s.opts.SocketMode.Perm()
	if mode != 0 {
		// On Linux, the file gets the mode of the socket, less the umask. So nobody can connect
		// without permission in the moment before Chmod.
		lc.Control = func(_, _ string, rc syscall.RawConn) error {
			return rc.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), uint32(mode)) })
		}
	}
	l, err := lc.Listen(context.Background(), "unix", path)
	if err == nil && mode != 0 {
		if err = os.Chmod(path, mode); err != nil {
			_ = l.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	return l, nil
}

// ListenAll listens on all addresses of the host in addr, on one port, because a client that
// resolves localhost may try either ::1 or 127.0.0.1 first. It leaves out an address that this
// machine lacks, such as ::1 where IPv6 is off, if another works. If addr has no host name,
// ListenAll does the same as Listen.
func (s *Server) ListenAll(addr string) ([]net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" || net.ParseIP(host) != nil || strings.HasPrefix(addr, "unix:") {
		l, err := s.Listen(addr)
		if err != nil {
			return nil, err
		}
		return []net.Listener{l}, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveTime)
	defer cancel()
	ips, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	return s.listenOn(distinct(ips), port)
}

const (
	resolveTime = 10 * time.Second
	portTries   = 16 // attempts to find a port that is free on all addresses, if any will do
)

// listenOn listens on the port of each address. If port is 0, it finds one that is free on all
// addresses.
func (s *Server) listenOn(ips []string, port string) ([]net.Listener, error) {
	for try := 1; ; try++ {
		ls, err := s.listenOnce(ips, port)
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) || port != "0" || try == portTries {
			return ls, err
		}
	}
}

func (s *Server) listenOnce(ips []string, port string) (ls []net.Listener, missing error) {
	for _, ip := range ips {
		l, err := s.Listen(net.JoinHostPort(ip, port))
		switch {
		case err == nil:
			ls = append(ls, l)
			if a, ok := l.Addr().(*net.TCPAddr); ok {
				port = strconv.Itoa(a.Port)
			}
		case errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT):
			missing = err
		default:
			closeListeners(ls)
			return nil, err
		}
	}
	if len(ls) == 0 {
		return nil, missing
	}
	return ls, nil
}

// distinct returns the strings of list in order, each of them once.
func distinct(list []string) (out []string) {
	seen := make(map[string]bool)
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

func closeListeners(ls []net.Listener) {
	for _, l := range ls {
		_ = l.Close()
	}
}

// removeStaleSocket removes the socket file at path if connecting to it is refused.
func removeStaleSocket(path string) {
	fi, err := os.Stat(path)
	if err != nil || fi.Mode()&os.ModeSocket == 0 {
		return
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = c.Close()
	} else if errors.Is(err, syscall.ECONNREFUSED) {
		_ = os.Remove(path)
	}
}

// ListenAndServe serves s on addr with the default options: see Server.ListenAndServe.
func ListenAndServe(addr string, s *mcp.Server) error {
	return New(s, nil).ListenAndServe(addr)
}

// ListenAndServe listens on addr, which is host:port or unix:/path, as ListenAll does, and serves
// until Shutdown. It then returns ErrServerClosed.
func (s *Server) ListenAndServe(addr string) error {
	return s.listenAndServe(addr, s.Serve)
}

// listenAndServe is ListenAndServe with serve for each listener.
func (s *Server) listenAndServe(addr string, serve func(net.Listener) error) error {
	ls, err := s.ListenAll(addr)
	if err != nil {
		return err
	}
	ended := make(chan error, len(ls))
	for _, l := range ls {
		go func() { ended <- serve(l) }()
	}
	err = <-ended
	closeListeners(ls) // when one ends, all end
	for range ls[1:] {
		<-ended
	}
	return err
}
