package observe

import (
	"bytes"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/mooring-mcp/mooring/bench/result"
)

// Machine describes this machine. What cannot be read is left empty.
func Machine() result.Machine {
	m := result.Machine{OS: runtime.GOOS + "/" + runtime.GOARCH, CPU: runtime.GOARCH, Cores: runtime.NumCPU()}
	if b, err := os.ReadFile("/etc/os-release"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
				m.OS = strings.Trim(name, `"'`) + ", " + m.OS
			}
		}
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range bytes.Lines(b) {
			// Some arm64 boards have "Model" instead.
			name, value, _ := bytes.Cut(line, []byte(":"))
			if n := string(bytes.TrimSpace(name)); n == "model name" || n == "Model" {
				m.CPU = string(bytes.TrimSpace(value))
				break
			}
		}
	}
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		values(b, func(name []byte, v int64) {
			if string(name) == "MemTotal" {
				m.MemoryBytes = v
			}
		})
	}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		m.DescriptorLimit = int64(min(limit.Cur, 1<<62))
	}
	return m
}
