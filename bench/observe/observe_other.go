//go:build !linux

package observe

import (
	"context"
	"net/netip"
	"runtime"

	"github.com/mooring-mcp/mooring/bench/result"
)

// FindListener returns ErrUnsupported.
func FindListener(netip.AddrPort) ([]int, error) { return nil, ErrUnsupported }

// Tree returns ErrUnsupported.
func Tree(int) ([]int, error) { return nil, ErrUnsupported }

// A Process is not available on this system.
type Process struct{}

// Open returns ErrUnsupported.
func Open(...int) (*Process, error) { return nil, ErrUnsupported }

// Close does nothing.
func (p *Process) Close() error { return nil }

// PID returns 0.
func (p *Process) PID() int { return 0 }

// Command returns nothing.
func (p *Process) Command() string { return "" }

// Build returns nothing.
func (p *Process) Build() string { return "" }

// Notes returns nothing.
func (p *Process) Notes() []string { return nil }

// AwaitExit returns ErrUnsupported.
func (p *Process) AwaitExit(context.Context) error { return ErrUnsupported }

// Glance returns ErrUnsupported.
func (p *Process) Glance() (Usage, error) { return Usage{}, ErrUnsupported }

// Sample returns ErrUnsupported.
func (p *Process) Sample() (Usage, error) { return Usage{}, ErrUnsupported }

// Sockets is not available on this system.
type Sockets struct{}

// OpenSockets returns ErrUnsupported.
func OpenSockets(uint16) (*Sockets, error) { return nil, ErrUnsupported }

// Count returns ErrUnsupported.
func (s *Sockets) Count() (States, error) { return States{}, ErrUnsupported }

// CountWithout returns ErrUnsupported.
func (s *Sockets) CountWithout([]netip.Addr) (States, error) { return States{}, ErrUnsupported }

// Close does nothing.
func (s *Sockets) Close() error { return nil }

// KernelMemory returns ErrUnsupported.
func KernelMemory() (Kernel, error) { return Kernel{}, ErrUnsupported }

// Slabs returns ErrUnsupported.
func Slabs() ([]Slab, error) { return nil, ErrUnsupported }

// Machine describes this machine as far as Go knows it.
func Machine() result.Machine {
	return result.Machine{OS: runtime.GOOS + "/" + runtime.GOARCH, CPU: runtime.GOARCH, Cores: runtime.NumCPU()}
}
