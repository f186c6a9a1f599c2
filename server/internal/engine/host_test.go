package engine

import (
	"io"
	"log/slog"
	"net"
)

// fakeHost is a host without loops: the tests say which are held.
type fakeHost struct {
	held     []bool
	makeRoom func(most int64)
}

func (h *fakeHost) NewConn(int, net.Addr, bool) Handler { return nil }
func (h *fakeHost) Refusal() []byte                     { return []byte("no room\n") }
func (h *fakeHost) Busy() bool                          { return false }
func (h *fakeHost) Held(loop int) bool                  { return h.held[loop] }
func (h *fakeHost) Visit(int)                           {}

func (h *fakeHost) MakeRoom(most int64) {
	if h.makeRoom != nil {
		h.makeRoom(most)
	}
}

// newAdmission returns an Admission for so many loops, none of them held.
func newAdmission(loops int) (*Admission, *fakeHost) {
	h := &fakeHost{held: make([]bool, loops)}
	return NewAdmission(Config{Host: h, Loops: loops, MaxConnections: 1000, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}), h
}
