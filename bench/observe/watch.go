package observe

import (
	"math"
	"sync"
	"time"

	"github.com/mooring-mcp/mooring/bench/result"
)

// Sources are what a Watcher samples. Each may be nil. The Watcher does not close them.
type Sources struct {
	Server  *Process
	Client  *Process // the measuring side, to see whether it was the bottleneck
	Sockets *Sockets // of the server's port
}

// A Watcher samples its sources at an interval, in a goroutine of its own, and keeps the samples as
// series. Its methods may be called from any goroutine.
type Watcher struct {
	sources Sources
	began   time.Time
	stop    chan struct{}
	done    chan struct{}
	once    sync.Once

	mu    sync.Mutex // guards the rest
	every time.Duration
	times []float64 // seconds since began
	lines [numLines][]float64
	peaks [numLines]float64
	errs  []string
	cpu   [2]Usage // last usage of server and client
}

// A line is one series.
type line uint8

const (
	serverRSS line = iota
	serverCPU
	serverThreads
	serverDescriptors
	clientRSS
	clientCPU
	established
	closeWait
	finWait
	lastAck
	timeWait
	numLines
)

var lineNames = [numLines]struct{ name, title, unit string }{
	serverRSS:         {"server_rss", "Memory of the server, resident", "B"},
	serverCPU:         {"server_cpu", "Processor time of the server, of one core", "%"},
	serverThreads:     {"server_threads", "Threads of the server", ""},
	serverDescriptors: {"server_descriptors", "Open descriptors of the server", ""},
	clientRSS:         {"client_rss", "Memory of the measuring side, resident", "B"},
	clientCPU:         {"client_cpu", "Processor time of the measuring side, of one core", "%"},
	established:       {"established", "Sockets of the server in ESTABLISHED", ""},
	closeWait:         {"close_wait", "Sockets of the server in CLOSE-WAIT: the client has disconnected, the server has not noticed", ""},
	finWait:           {"fin_wait", "Sockets of the server in FIN-WAIT: it has closed, the client has not", ""},
	lastAck:           {"last_ack", "Sockets of the server in LAST-ACK", ""},
	timeWait:          {"time_wait", "Sockets of the server in TIME-WAIT", ""},
}

// samplePart limits the share of the time that sampling takes: reading the kernel's table of a
// million sockets takes a second.
const samplePart = 50

// maxPoints limits a series. When it is reached, every second point is dropped and the interval
// doubles.
const maxPoints = 4096

// Watch begins to sample: at once, and then at the interval every, until Stop. The times of the
// series count from began. An interval below 1 ms is raised to 1 ms.
func Watch(s Sources, began time.Time, every time.Duration) *Watcher {
	w := &Watcher{sources: s, began: began, every: max(every, time.Millisecond), stop: make(chan struct{}), done: make(chan struct{})}
	for l := range w.peaks {
		w.peaks[l] = math.NaN()
	}
	if s.Server != nil {
		w.cpu[0], _ = s.Server.Glance()
	}
	if s.Client != nil {
		w.cpu[1], _ = s.Client.Glance()
	}
	go w.run()
	return w
}

func (w *Watcher) run() {
	defer close(w.done)
	w.sample()
	timer := time.NewTimer(w.interval())
	defer timer.Stop()
	for {
		select {
		case <-w.stop:
			w.sample()
			return
		case <-timer.C:
			begin := time.Now()
			w.sample()
			timer.Reset(max(w.interval(), samplePart*time.Since(begin)))
		}
	}
}

func (w *Watcher) interval() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.every
}

// sample adds one point to each series. What could not be read is NaN.
func (w *Watcher) sample() {
	var values [numLines]float64
	for l := range values {
		values[l] = math.NaN()
	}
	now := time.Now()
	var cpu [2]Usage
	for i, p := range [2]*Process{w.sources.Server, w.sources.Client} {
		if p == nil {
			continue
		}
		u, err := p.Glance()
		if err != nil {
			w.fault(err)
			continue
		}
		cpu[i] = u
		if i == 0 {
			values[serverRSS], values[serverThreads], values[serverDescriptors] = float64(u.RSS), float64(u.Threads), float64(u.Descriptors)
		} else {
			values[clientRSS] = float64(u.RSS)
		}
	}
	if w.sources.Sockets != nil {
		c, err := w.sources.Sockets.Count()
		if err != nil {
			w.fault(err)
		} else {
			values[established], values[closeWait], values[lastAck], values[timeWait] = float64(c.Established), float64(c.CloseWait), float64(c.LastAck), float64(c.TimeWait)
			values[finWait] = float64(c.FinWait1 + c.FinWait2 + c.Closing)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, l := range [2]line{serverCPU, clientCPU} {
		before := w.cpu[i]
		if cpu[i].At.IsZero() {
			continue
		}
		if passed := cpu[i].At.Sub(before.At); before.At.IsZero() {
			w.cpu[i] = cpu[i]
		} else if passed >= w.every/4 { // in less time a percentage is noise
			values[l] = 100 * float64(cpu[i].CPU-before.CPU) / float64(passed)
			w.cpu[i] = cpu[i]
		}
	}
	if len(w.times) == maxPoints {
		w.thin()
	}
	w.times = append(w.times, now.Sub(w.began).Seconds())
	for l, v := range values {
		w.lines[l] = append(w.lines[l], v)
		if !math.IsNaN(v) && !(v <= w.peaks[l]) {
			w.peaks[l] = v
		}
	}
}

// thin drops every second point.
func (w *Watcher) thin() {
	half := func(v []float64) []float64 {
		for i := 0; i*2 < len(v); i++ {
			v[i] = v[i*2]
		}
		return v[:(len(v)+1)/2]
	}
	w.times = half(w.times)
	for l := range w.lines {
		w.lines[l] = half(w.lines[l])
	}
	w.every *= 2
}

func (w *Watcher) fault(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.errs {
		if e == err.Error() {
			return
		}
	}
	if len(w.errs) < 10 {
		w.errs = append(w.errs, err.Error())
	}
}

// Stop samples once more and ends the goroutine. Calling it again does nothing.
func (w *Watcher) Stop() {
	w.once.Do(func() { close(w.stop) })
	<-w.done
}

// Series returns what has been sampled so far. There is no series of a source that is nil or could
// not be read. Of the socket states, only ESTABLISHED and CLOSE-WAIT have a series if they did not
// occur.
func (w *Watcher) Series() []result.Series {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []result.Series
	for l := range numLines {
		if math.IsNaN(w.peaks[l]) || l > closeWait && w.peaks[l] == 0 {
			continue
		}
		d := lineNames[l]
		s := result.Series{Name: d.name, Title: d.title, Unit: d.unit, Points: make([][2]float64, 0, len(w.times))}
		for i, v := range w.lines[l] {
			if !math.IsNaN(v) {
				s.Points = append(s.Points, [2]float64{round(w.times[i]), round(v)})
			}
		}
		list = append(list, s)
	}
	return list
}

// round drops digits that are noise and would fill the file.
func round(v float64) float64 { return math.Round(v*1000) / 1000 }

// Peak returns the highest value of a series, by its name, and whether there was any. Points that
// were dropped count.
func (w *Watcher) Peak(name string) (float64, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for l, d := range lineNames {
		if d.name == name && !math.IsNaN(w.peaks[l]) {
			return w.peaks[l], true
		}
	}
	return 0, false
}

// Faults returns why something could not be read: each reason once.
func (w *Watcher) Faults() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.errs...)
}
