package observe

import (
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// tick is the unit of USER_HZ, which is the same on every architecture that Go supports: 100 a
// second.
const tick = time.Second / 100

// Glance returns what counters say: all but the last fields of Usage. It is cheap, even for a
// process with very many descriptors, and may be called many times a second. With ErrEnded it
// returns the times of the processes as they were last seen.
func (p *Process) Glance() (Usage, error) { return p.read(false) }

// Sample returns all of Usage. The kernel counts the pages of the process one by one, which takes
// some 10 ms for each GB and blocks changes of the process's memory map meanwhile.
func (p *Process) Sample() (Usage, error) { return p.read(true) }

func (p *Process) read(all bool) (Usage, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sum := p.ended
	sum.At = time.Now()
	for _, m := range p.members {
		if m.gone {
			continue
		}
		u, alive := m.glance(p)
		if !alive {
			m.gone = true
			p.ended.addTimes(&m.last)
			sum.addTimes(&m.last)
			continue
		}
		if all {
			m.detail(p, &u)
		} else {
			// Kept for its end, not reported.
			u.Voluntary, u.Involuntary = m.last.Voluntary, m.last.Involuntary
		}
		m.last = u
		sum.add(&u)
	}
	if sum.Processes == 0 {
		return sum, ErrEnded
	}
	if !all {
		sum.Voluntary, sum.Involuntary = 0, 0
	}
	return sum, nil
}

func (u *Usage) addTimes(v *Usage) {
	u.CPU += v.CPU
	u.User += v.User
	u.System += v.System
	u.Voluntary += v.Voluntary
	u.Involuntary += v.Involuntary
}

func (u *Usage) add(v *Usage) {
	u.addTimes(v)
	u.RSS += v.RSS
	u.Threads += v.Threads
	u.Descriptors += v.Descriptors
	u.Processes += v.Processes
	u.PSS += v.PSS
	u.Private += v.Private
	u.AnonymousHuge += v.AnonymousHuge
}

// readStat reports whether the process is alive. A process that has ended and waits for its parent
// is not.
func (m *member) readStat() (stat, bool) {
	n, err := m.stat.ReadAt(m.proc[:], 0)
	if n == 0 && err != nil {
		return stat{}, false
	}
	s, ok := parseStat(m.proc[:n])
	return s, ok && s.state != 'Z' && s.state != 'X'
}

func (m *member) glance(p *Process) (u Usage, alive bool) {
	s, alive := m.readStat()
	u.User, u.System = time.Duration(s.user)*tick, time.Duration(s.system)*tick
	if !alive {
		// Until its parent has reaped it, its final times can still be read.
		m.last.User, m.last.System = max(m.last.User, u.User), max(m.last.System, u.System)
		m.last.CPU = max(m.last.CPU, u.User+u.System)
		return u, false
	}
	u.CPU = u.User + u.System
	if m.clock {
		cpu, err := m.cpu()
		if err == nil {
			u.CPU = cpu
		} else if !errors.Is(err, unix.ESRCH) {
			m.clock = false
			p.note("processor time of process %d is in steps of 10 ms: %v", m.pid, err)
		}
	}
	u.CPU = max(u.CPU, m.last.CPU) // the process may have ended in between
	u.RSS = s.rss * int64(os.Getpagesize())
	u.Threads = s.threads
	u.Processes = 1
	fds, err := m.descriptors()
	if err != nil {
		p.note("descriptors of process %d: %v", m.pid, err)
	}
	u.Descriptors = fds
	return u, true
}

// descriptors returns how many are open. Since Linux 6.2 that is the size of the directory that
// lists them (proc_pid_fd(5)); before, they are counted.
func (m *member) descriptors() (int, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(int(m.dir.Fd()), "fd", &st, 0); err != nil {
		return 0, err
	}
	// Everybody can see the directory, but only those who may list it see its size.
	dir, err := m.open("fd")
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	if st.Size > 0 {
		return int(st.Size), nil
	}
	total := 0
	for {
		names, err := dir.Readdirnames(4096)
		total += len(names)
		if err != nil || len(names) == 0 {
			return total, nil
		}
	}
}

// detail sets the fields that only Sample sets, and RSS to what was counted.
func (m *member) detail(p *Process, u *Usage) {
	b, err := m.file("smaps_rollup")
	if err != nil || len(b) == 0 {
		p.note("the memory of process %d cannot be counted by page: %v", m.pid, reason(err))
	} else {
		rss := int64(0)
		values(b, func(name []byte, v int64) {
			switch string(name) {
			case "Rss":
				rss = v
			case "Pss":
				u.PSS = v
			case "Private_Clean", "Private_Dirty":
				u.Private += v
			case "AnonHugePages":
				u.AnonymousHuge = v
			}
		})
		u.RSS = rss
	}
	u.Voluntary, u.Involuntary = m.switches()
}

// reason returns err, or an error if an empty file is the only sign of one.
func reason(err error) error {
	if err == nil {
		return errors.New("it is empty")
	}
	return err
}

// switches adds up the context switches of the live threads.
func (m *member) switches() (voluntary, involuntary int64) {
	tasks, err := m.open("task")
	if err != nil {
		return 0, 0
	}
	defer tasks.Close()
	names, _ := tasks.Readdirnames(-1)
	for _, name := range names {
		b, err := m.file("task/" + name + "/status")
		if err != nil {
			continue // the thread has ended
		}
		values(b, func(name []byte, v int64) {
			switch string(name) {
			case "voluntary_ctxt_switches":
				voluntary += v
			case "nonvoluntary_ctxt_switches":
				involuntary += v
			}
		})
	}
	return voluntary, involuntary
}

// file returns the content of a small file of the process.
func (m *member) file(name string) ([]byte, error) {
	f, err := m.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var b []byte
	buf := make([]byte, 4096)
	for {
		n, err := f.Read(buf)
		b = append(b, buf[:n]...)
		if err == io.EOF || n == 0 || len(b) > 1<<20 {
			return b, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
