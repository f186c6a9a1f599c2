// Package observe reports what the machine knows about a process that is being measured: its
// processor time, memory, threads and descriptors, the sockets of its port, and the memory of the
// kernel.
//
// It observes from outside, through /proc, netlink and the kernel's clocks, so it needs no help
// from the process. It works only on Linux; elsewhere its functions return [ErrUnsupported]. What
// cannot be read, usually because the process belongs to another user, stays zero, and
// [Process.Notes] says why.
//
// About the figures:
//
//   - Processor time is that of CLOCK_PROCESS_CPUTIME_ID (clock_getcpuclockid(3)): nanoseconds, of
//     all threads, including those that have ended. For a thread that is running at that moment,
//     the time since the scheduler's last tick is missing, at most 10 ms; so a difference is
//     meaningful from a second on, or between moments of rest. The division into user and system
//     time is the kernel's estimate, in steps of 10 ms.
//   - [Process.Sample] reads memory from smaps_rollup, for which the kernel counts pages one by one
//     and holds the process's memory map meanwhile: use it between phases. [Process.Glance] reads
//     counters instead. Since Linux 6.2 some kernels keep them for each processor, and they may be
//     off by some hundred KB.
//   - Memory that a process has freed and not given back is resident. It cannot be measured from
//     outside: what a client leaves behind shows in the slope over rounds, see [Fit].
//   - [KernelMemory] is for the whole machine; its differences are meaningful while nothing else
//     runs. Slab includes the sockets of both ends of a connection if both are on this machine.
package observe
