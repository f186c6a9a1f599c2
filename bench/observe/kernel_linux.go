package observe

import (
	"bytes"
	"fmt"
	"os"
	"time"
)

// KernelMemory reads /proc/meminfo and /proc/net/sockstat.
func KernelMemory() (Kernel, error) {
	k := Kernel{At: time.Now()}
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return k, fmt.Errorf("observe: %w", err)
	}
	values(b, func(name []byte, v int64) {
		switch string(name) {
		case "Slab":
			k.Slab = v
		case "SReclaimable":
			k.Reclaimable = v
		case "KernelStack":
			k.KernelStack = v
		case "PageTables":
			k.PageTables = v
		case "MemFree":
			k.MemFree = v
		case "MemAvailable":
			k.MemAvailable = v
		}
	})
	if b, err = os.ReadFile("/proc/net/sockstat"); err != nil {
		return k, fmt.Errorf("observe: %w", err)
	}
	k.sockets(b, int64(os.Getpagesize()))
	return k, nil
}

func (k *Kernel) sockets(sockstat []byte, page int64) {
	for line := range bytes.Lines(sockstat) {
		rest, ok := bytes.CutPrefix(line, []byte("TCP:"))
		if !ok {
			continue
		}
		pairs(rest, func(name []byte, v int64) {
			switch string(name) {
			case "mem":
				k.Buffers = v * page
			case "alloc":
				k.TCPSockets = int(v)
			case "orphan":
				k.Orphans = int(v)
			case "tw":
				k.TimeWait = int(v)
			}
		})
	}
}

// Slabs returns the kinds of kernel objects that connections and their files consist of, as far as
// the kernel lists them separately. It needs root.
func Slabs() ([]Slab, error) {
	b, err := os.ReadFile("/proc/slabinfo")
	if err != nil {
		return nil, fmt.Errorf("observe: %w", err)
	}
	return parseSlabs(b), nil
}

// slabNames are the kinds that grow with connections.
var slabNames = map[string]bool{
	"TCP": true, "TCPv6": true, "tw_sock_TCP": true, "request_sock_TCP": true, "sock_inode_cache": true, "filp": true, "dentry": true,
	"eventpoll_epi": true, "eventpoll_pwq": true, "ep_head": true, "skbuff_head_cache": true, "skbuff_small_head": true,
}

func parseSlabs(b []byte) []Slab {
	var list []Slab
	for line := range bytes.Lines(b) {
		f := bytes.Fields(line)
		if len(f) >= 4 && slabNames[string(f[0])] {
			list = append(list, Slab{Name: string(f[0]), Active: number(f[1]), Size: number(f[3])})
		}
	}
	return list
}
