package main

import (
	"bytes"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// served is a `mooring serve` with its defaults, so that it gives memory back as the command does
// for users.
type served struct {
	cmd  *exec.Cmd
	addr string
}

// serve starts bin/mooring with more arguments and waits until it is ready.
func serve(bin, engine string, more ...string) *served {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	s := &served{addr: l.Addr().String()}
	_ = l.Close()
	s.cmd = exec.Command(bin+"/mooring", append([]string{"serve", "--listen", s.addr, "--engine", engine, "--log-level", "error"}, more...)...)
	var said bytes.Buffer
	s.cmd.Stderr = &said
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		log.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		r, err := http.Get("http://" + s.addr + "/healthz")
		if err == nil {
			_ = r.Body.Close()
			http.DefaultClient.CloseIdleConnections()
			return s
		}
		if time.Now().After(end) {
			s.stop()
			log.Fatalf("mooring serve: %v: %s", err, &said)
		}
	}
}

func (s *served) pid() int { return s.cmd.Process.Pid }

// stop kills the server: a drain would wait for clients that may still be connected.
func (s *served) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// rss returns the resident bytes of a process.
func rss(pid int) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		log.Fatal(err)
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(b), &size, &resident); err != nil {
		log.Fatal(err)
	}
	return float64(resident) * float64(os.Getpagesize())
}

// switches returns how many context switches the threads of a process had, voluntary or not.
func switches(pid int) (n float64) {
	dir := fmt.Sprintf("/proc/%d/task", pid)
	tasks, err := os.ReadDir(dir)
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range tasks {
		b, err := os.ReadFile(dir + "/" + t.Name() + "/status")
		if err != nil {
			continue // the thread has ended
		}
		for line := range strings.Lines(string(b)) {
			if _, value, ok := strings.Cut(line, "ctxt_switches:"); ok {
				var v float64
				_, _ = fmt.Sscan(value, &v)
				n += v
			}
		}
	}
	return n
}

const idleTime = 10 * time.Second

// measureIdle counts the context switches of a server without connections.
func measureIdle(bin string, o *options) []row {
	r := row{name: "idle_switches", what: "context switches per second of a server without clients, all threads", bound: [2]float64{40, 20}}
	for range o.rounds {
		f := start(bin, "-kind=gnet")
		m := [len(engines)]*served{}
		for e, engine := range engines {
			m[e] = serve(bin, engine)
		}
		time.Sleep(3 * time.Second)
		began := time.Now()
		before := [...]float64{switches(f.cmd.Process.Pid), switches(m[0].pid()), switches(m[1].pid())}
		time.Sleep(idleTime)
		after := [...]float64{switches(f.cmd.Process.Pid), switches(m[0].pid()), switches(m[1].pid())}
		took := time.Since(began).Seconds()
		r.floor = append(r.floor, (after[0]-before[0])/took)
		f.stop()
		for e := range engines {
			r.on[e] = append(r.on[e], (after[1+e]-before[1+e])/took)
			m[e].stop()
		}
	}
	return []row{r}
}
