//go:build linux && (amd64 || arm64)

package jsonrpc

import (
	"syscall"
	"testing"
)

// A text whose positions do not fit into 32 bits is refused because of its length.
// The pages of this text cannot even be read.
func TestTooLong(t *testing.T) {
	data, err := syscall.Mmap(-1, 0, maxText+1, syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE)
	if err != nil {
		t.Skip("no address space for the test: ", err)
	}
	defer syscall.Munmap(data)
	var m Envelope
	if err := m.Decode(data); err != error(errSize) {
		t.Errorf("Decode: %v, want %v", err, errSize)
	}
	if _, err := DecodeBatch(data); err != error(errSize) {
		t.Errorf("DecodeBatch: %v, want %v", err, errSize)
	}
}
