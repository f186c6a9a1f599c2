package enginetest

import (
	"net"
	"testing"
)

// Move measures how long it takes to give a connection to a loop and to take it back.
func Move(b *testing.B, newEngine New) {
	r := start(b, newEngine)
	_, nc := r.pair("tcp")
	back := make(chan net.Conn)
	for b.Loop() {
		h := newHandler()
		if err := r.adopt(0, nc, h); err != nil {
			b.Fatal(err)
		}
		r.loops[0].Execute(func() {
			nc, err := r.loops[0].Duplicate(h.sk)
			if err != nil {
				panic(err)
			}
			r.loops[0].CloseSocket(h.sk)
			back <- nc
		})
		nc = <-back
	}
	_ = nc.Close()
}
