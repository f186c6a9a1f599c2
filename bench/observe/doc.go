// Package observe is what the machine says of a process that is measured: its processor time, memory, threads and descriptors, the sockets of its port, the memory of the kernel.
//
// It looks from outside, through /proc, netlink and the clocks of the kernel, so it needs nothing of the process, and it is for Linux alone: elsewhere its functions return [ErrUnsupported]. What cannot be read,
// most often because the process is another user's, stays zero, and [Process.Notes] says why.
//
// Of the figures:
//
//   - Processor time is that of CLOCK_PROCESS_CPUTIME_ID (clock_getcpuclockid(3)): nanoseconds, of all threads, of those too that have ended. Of a thread that runs at that moment the time since the scheduler's
//     last tick is missing, at most 10 ms; so a difference means something from a second on, or between moments of rest. The division into user and system is the kernel's estimate, in steps of 10 ms.
//   - Memory is read from smaps_rollup by [Process.Sample], which counts pages one by one and holds the process's map meanwhile: for moments between phases. [Process.Glance] reads counters instead; some kernels
//     (since 6.2) keep them for each processor and let them be off by some hundred KB.
//   - Memory that a process has freed and not given back is resident. There is no way to ask for it from outside: what a client leaves behind is seen by its slope over rounds, see [Fit].
//   - [KernelMemory] is of the whole machine; differences of it mean something while nothing else runs. Slab has the sockets of both ends of a connection if both are on this machine.
package observe
