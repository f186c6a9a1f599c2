package epollengine

import (
	"testing"
	"unsafe"
)

// An idle connection holds a socket, so its size counts a million times.
func TestSocketSize(t *testing.T) {
	if n := unsafe.Sizeof(socket{}); unsafe.Sizeof(uintptr(0)) == 8 && n > 48 {
		t.Errorf("a socket is %d bytes, want at most 48", n)
	}
}
