package engine

import (
	"context"
	"errors"
	"net"
	"net/netip"
)

const (
	// ReadSize is how many bytes are read from a socket in a turn. It limits how long one
	// connection has its loop: the requests of a client that pipelines without end take some 100
	// µs, and what it has sent in addition waits in the kernel, where it holds up the client,
	// until the other sockets have been served.
	ReadSize = 8 << 10

	// WriteBufferSize is about how large gnet's first buffer becomes for bytes that a peer does
	// not take.
	WriteBufferSize = 16 << 10
)

var (
	// ErrClosed is returned once Admission.End has been called.
	ErrClosed = errors.New("engine: closed")
	// ErrUnsent is returned for a socket that holds bytes which the kernel has not taken.
	ErrUnsent = errors.New("engine: bytes wait for the peer")
)

// Engine waits for the sockets of its loops, and accepts for them. Its methods are called in this
// order, each once except NewAcceptor and Adopt. All engines do the same, and the same tests hold
// them.
type Engine interface {
	// Start starts the loops and returns them, by index.
	Start() ([]Loop, error)
	// OpenAccepting prepares for acceptors. At most n connections may be on their way to a loop at
	// the same time.
	OpenAccepting(n int) error
	// NewAcceptor returns the acceptor of a listener, and takes ownership of l unless it fails. It
	// may be called from any goroutine.
	NewAcceptor(l net.Listener) (Acceptor, error)
	// Adopt gives nc, which something else has accepted, to the loop with that index: nc is closed,
	// and the loop has its socket, with the options of an accepted one, and calls h.Opened. Bytes
	// that nc has not read yet are the loop's. nc is a *net.TCPConn or a *net.UnixConn, or has a
	// method NetConn() net.Conn that leads to one; see BareConn. Nothing may use it meanwhile.
	//
	// The caller has counted the connection (Admission.Reserve). After an error the place is still
	// its own, to be released, and so is nc, which may be closed; h was not called. Otherwise the
	// place is the engine's, which calls Admission.Released once, after h.Closed. h.Closed may come
	// without h.Opened, with ErrClosed, if the engine stops first.
	//
	// Where descriptors are lacking Adopt waits for them, as accepting does, and it may wait for
	// the loop: it may be called from any goroutine except that of a loop, after OpenAccepting.
	// Once Admission.End has been called it returns ErrClosed.
	Adopt(loop int, nc net.Conn, h Handler) error
	// EndAccepting waits until no connection is on its way to a loop, or until ctx ends. An
	// acceptor that has not returned by then closes the connections that it still accepts.
	EndAccepting(ctx context.Context) error
	// Stop closes the connections that are left and ends the loops. It waits for a loop that is
	// held.
	Stop()
}

// Acceptor accepts the connections of one listener. It gives each to a loop, or refuses it above
// the limit. Admission.Serve drives it.
type Acceptor interface {
	// Accept waits for connections and returns how many it has accepted: some even with an error,
	// and sometimes none without one.
	Accept() (n int, err error)
	// Local reports whether the listener's clients are on this machine.
	Local() bool
	// ClientWaits reports whether a client waits to be accepted. It reports true where this cannot
	// be found out.
	ClientWaits() bool
	// CheckOpen returns an error if the host has closed the listener while the acceptor holds
	// something of it.
	CheckOpen() error
	// Close closes the listener. It may be called from any goroutine, and more than once.
	Close() error
}

// Loop is one event loop of an engine.
type Loop interface {
	// Execute runs t on the loop, later. It may be called from any goroutine.
	Execute(t Task)
	// Again runs t on the loop once the sockets have had their turn.
	Again(t Task)
	// CloseSocket closes sk. Handler.Closed runs before it returns.
	CloseSocket(sk Socket)
	// CloseWrite sends a FIN and leaves the receiving side open.
	CloseWrite(sk Socket) error
	// Duplicate returns a connection of net's own on a duplicate of sk's descriptor. As long as it
	// is open, CloseSocket sends neither a FIN nor an RST: so it takes sk out of the loop. Bytes
	// that the loop has read are not in it. Duplicate fails where there is no descriptor, where the
	// peer is gone, and with ErrUnsent while bytes wait for the peer. sk is as before then.
	Duplicate(sk Socket) (net.Conn, error)
	// Peer returns the address of the peer of sk. It is zero if the peer has no IP address, or is
	// gone. It costs a system call.
	Peer(sk Socket) netip.AddrPort
	// ReportsCaughtUp reports whether the loop calls Handler.CaughtUp.
	ReportsCaughtUp() bool
}

// Task is something to run on a loop.
type Task func()

// Socket is what a handler needs of its transport.
type Socket interface {
	// Next returns all bytes that have been read if n is negative. They are valid until the end of
	// the turn.
	Next(n int) ([]byte, error)
	// Write takes all of b: what the kernel does not take is copied and sent later. It may close
	// the socket before it returns.
	Write(b []byte) (int, error)
	// OutboundBuffered returns how many bytes wait for the peer.
	OutboundBuffered() int
	// Flush tries to send the bytes that wait. It may close the socket before it returns.
	Flush() error
	// SetLinger sets SO_LINGER: with 0 seconds a close sends an RST and drops what waits.
	SetLinger(secs int) error
}

// Host is the server whose connections an engine serves. Its methods may be called from any
// goroutine.
type Host interface {
	// NewConn returns the handler of a connection on the loop with that index. from is the address
	// of the listener that has accepted it; beyond says that it was admitted beyond the descriptor
	// limit: see Admission.Reserve.
	NewConn(loop int, from net.Addr, beyond bool) Handler
	// Refusal returns what a connection above the limit is answered with.
	Refusal() []byte
	// Busy reports whether goroutines other than the loops have work: a loop then yields to them.
	Busy() bool
	// Held reports whether the loop has not come to its tasks for so long that it should not be
	// given more connections.
	Held(loop int) bool
	// Visit has a loop that may sleep look at the connections that it was given.
	Visit(loop int)
	// MakeRoom closes connections until there are no more than most, as far as it can. It waits
	// for the loops, but not for long, so it must not be called on one.
	MakeRoom(most int64)
}

// Handler serves one connection. Its methods run on the connection's loop and recover from their
// own panics.
type Handler interface {
	// Opened begins the connection's life. It comes first: see Engine.Adopt for the exception.
	Opened(sk Socket)
	// Received is called when bytes have been read: see Socket.Next.
	Received()
	// CaughtUp is called when bytes have waited for the peer and all of them are with the kernel
	// now, if the loop reports that.
	CaughtUp()
	// Closed ends the connection's life: the socket must not be used afterwards. err says why the
	// peer is gone; nil means that this side has closed the socket.
	Closed(err error)
}
