package engine

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// TestNextLoop holds which loop gets the next connection: each in its turn, whatever their number,
// but none that is held.
func TestNextLoop(t *testing.T) {
	const rounds = 12
	for n := 1; n <= 9; n++ {
		a, h := newAdmission(n)
		count := func(share int32) []int {
			got := make([]int, n)
			for range rounds * n {
				got[a.NextLoop(share)]++
			}
			return got
		}
		for _, share := range []int32{1, 16} {
			for i, got := range count(share) {
				if got != rounds {
					t.Errorf("%d loops, share %d: loop %d got %d of %d connections", n, share, i, got, rounds)
				}
			}
		}
		if n == 1 {
			continue
		}
		a.Coming(0, 16)
		if got := count(16)[0]; got != 0 {
			t.Errorf("%d loops: one with its share on the way got %d connections more", n, got)
		}
		a.Coming(0, -16)
		h.held[n-1] = true
		if got := count(16)[n-1]; got != 0 {
			t.Errorf("%d loops: one that is held got %d connections", n, got)
		}
		h.held[n-1] = false
		for i := range n {
			a.Coming(i, int32(20+i))
		}
		if got := count(16); got[0] != rounds*n {
			t.Errorf("%d loops beyond their share: %v, all are for the one with the fewest", n, got)
		}
	}
}

// At the descriptor limit only clients of this machine are admitted, and a few of them beyond it.
func TestReserve(t *testing.T) {
	a, h := newAdmission(1)
	a.limit, a.beyond = 3, 2
	var asked []int64
	h.makeRoom = func(most int64) { asked = append(asked, most) }
	for i, want := range []struct{ local, beyond, ok bool }{
		{false, false, true}, {true, false, true}, {false, false, true},
		{true, true, true}, {true, true, true}, {true, false, false},
	} {
		if beyond, ok := a.Reserve(want.local); beyond != want.beyond || ok != want.ok {
			t.Errorf("connection %d: beyond %v, admitted %v, want %+v", i, beyond, ok, want)
		}
	}
	if a.Connections() != 5 || len(asked) != 2 || asked[0] != 3 {
		t.Errorf("%d connections, the host was asked for room: %v", a.Connections(), asked)
	}
	h.makeRoom = func(int64) { a.Released(); a.Released() }
	a.Released()
	if beyond, ok := a.Reserve(true); beyond || !ok {
		t.Errorf("with room: beyond %v, admitted %v", beyond, ok)
	}
	a.MaxConnections = 3
	if _, ok := a.Reserve(true); ok || a.Connections() != 3 {
		t.Errorf("above MaxConnections: admitted %v, %d connections", ok, a.Connections())
	}
}

// A refused client gets the host's answer and then the end, whatever it sends.
func TestRefuse(t *testing.T) {
	a, _ := newAdmission(1)
	a.SetDescriptors(1024)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Write(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	a.Refuse(nc)
	_ = client.SetDeadline(time.Now().Add(10 * time.Second))
	if b, err := io.ReadAll(client); string(b) != "no room\n" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
	if a.Refused() != 1 || a.Connections() != 0 {
		t.Errorf("%d are refused, %d connections", a.Refused(), a.Connections())
	}
}

// fakeAcceptor returns one error after another, and then ends the admission.
type fakeAcceptor struct {
	adm  *Admission
	errs []error
}

func (f *fakeAcceptor) Accept() (int, error) {
	if len(f.errs) == 0 {
		f.adm.End()
		return 0, net.ErrClosed
	}
	err := f.errs[0]
	f.errs = f.errs[1:]
	return 0, err
}

func (f *fakeAcceptor) Local() bool       { return false }
func (f *fakeAcceptor) ClientWaits() bool { return true }
func (f *fakeAcceptor) CheckOpen() error  { return nil }
func (f *fakeAcceptor) Close() error      { return nil }

// Accepting continues after an error that may pass, such as a lack of descriptors or of epoll
// watches (ENOSPC), and ends with any other.
func TestServeErrors(t *testing.T) {
	passing := []error{
		&net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)},
		os.NewSyscallError("epoll_ctl", syscall.ENOSPC), os.NewSyscallError("epoll_ctl", syscall.EPERM),
	}
	a, _ := newAdmission(1)
	a.SetDescriptors(1024)
	if err := a.Serve(&fakeAcceptor{a, passing}); !errors.Is(err, ErrClosed) || a.Errors() != 3 {
		t.Errorf("Serve: %v, with %d errors", err, a.Errors())
	}
	a, _ = newAdmission(1)
	a.SetDescriptors(1024)
	if err := a.Serve(&fakeAcceptor{a, []error{syscall.EBADF}}); !errors.Is(err, syscall.EBADF) || a.Errors() != 0 {
		t.Errorf("Serve: %v, with %d errors", err, a.Errors())
	}
}
