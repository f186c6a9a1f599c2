//go:build unix

package fleet

import (
	"syscall"
	"time"
)

// descriptorLimit returns how many descriptors this process may have, having raised it as far as it goes.
func descriptorLimit() int {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return 1024
	}
	if r.Cur < r.Max {
		r.Cur = r.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &r)
		_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r)
	}
	return int(min(uint64(r.Cur), 1<<30))
}

// ownUsage returns what this process has used. Its RSS is what it is at most.
func ownUsage() (Usage, error) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return Usage{}, err
	}
	return Usage{CPU: time.Duration(r.Utime.Nano() + r.Stime.Nano()), RSS: r.Maxrss << 10}, nil
}
