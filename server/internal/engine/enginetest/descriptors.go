package enginetest

import (
	"syscall"
	"time"
)

// While there are no descriptors Adopt waits. Duplicate does not: it runs on a loop.
func (r *rig) noDescriptors() {
	_, first := r.pair("tcp")
	h := newHandler()
	if err := r.adopt(0, first, h); err != nil {
		r.Fatal(err)
	}
	r.wait("Opened", h.opened)
	client, nc := r.pair("tcp")
	free := r.useDescriptors()
	defer free()
	r.on(0, func() {
		if c, err := r.loops[0].Duplicate(h.sk); err == nil {
			r.Errorf("Duplicate: %v", c.RemoteAddr())
		}
	})
	h2 := newHandler()
	adopted := make(chan error, 1)
	go func() { adopted <- r.adopt(1, nc, h2) }()
	r.eventually("Adopt waits", func() bool { return r.adm.Errors() > 0 })
	select {
	case err := <-adopted:
		r.Fatalf("Adopt without descriptors: %v", err)
	default:
	}
	free()
	select {
	case err := <-adopted:
		if err != nil {
			r.Fatal(err)
		}
	case <-time.After(patience):
		r.Fatal("Adopt does not return")
	}
	_, _ = client.Write([]byte("after all"))
	r.wantRead(client, "after all")
}

// useDescriptors leaves no descriptor to the process until free is called.
func (r *rig) useDescriptors() (free func()) {
	r.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		r.Fatal(err)
	}
	// No descriptor from the limit on: those below it that are free are used up.
	now := before
	now.Cur = 256
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &now); err != nil {
		r.Fatal(err)
	}
	var used []int
	for {
		fd, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			break
		}
		used = append(used, fd)
	}
	return func() {
		for _, fd := range used {
			_ = syscall.Close(fd)
		}
		used = nil
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before)
	}
}
