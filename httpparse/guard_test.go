//go:build unix

package httpparse

import (
	"os"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
)

// Nothing is read beyond the end of the buffer, wherever that is: the page after it
// cannot be read.
func TestReadsWithinBuffer(t *testing.T) {
	size := os.Getpagesize()
	pages, err := syscall.Mmap(-1, 0, 2*size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Munmap(pages)
	if err := syscall.Mprotect(pages[size:], syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))

	var inputs []string
	for _, c := range acceptances {
		inputs = append(inputs, c.in)
	}
	for _, table := range [][]refusal{requestLineRefusals, fieldRefusals} {
		for _, c := range table {
			inputs = append(inputs, strings.Replace(c.in, mark, "", 1))
		}
	}
	inputs = append(inputs, mcpHead)
	var r Request
	for _, in := range inputs {
		if len(in) > size {
			continue
		}
		for n := range len(in) + 1 {
			b := pages[size-n : size : size]
			copy(b, in)
			func() {
				defer func() {
					if fault := recover(); fault != nil {
						t.Fatalf("input %q: %v", b, fault)
					}
				}()
				ParseRequest(&r, b, 0, nil)
			}()
		}
	}
}
