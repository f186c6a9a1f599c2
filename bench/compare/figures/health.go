package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

const (
	floodClients = 8
	floodTime    = 5 * time.Second // of one measurement
	floodMost    = time.Minute     // a flood ends by itself after this
	probeEvery   = 5 * time.Millisecond
)

// measureHealth measures how long a health check on a new connection takes while a few clients
// pipeline calls without end, and while they send one call at a time.
func measureHealth(bin string, o *options) []row {
	none := [2]float64{noBound, noBound}
	piped := row{name: "pipelined_health_p99", what: "8 clients pipeline `add` without end: p99 of /healthz on a new connection, ms", bound: [2]float64{2, 2}}
	half := row{name: "pipelined_health_p50", what: "the same, p50", bound: none}
	single := row{name: "single_health_p99", what: "8 clients send one call at a time: p99 of /healthz on a new connection, ms", bound: none}
	for range o.rounds {
		for e, engine := range engines {
			m := serve(bin, engine)
			times := probeUnder(m.addr, "-flood")
			piped.on[e], half.on[e] = append(piped.on[e], percentile(times, 99)/1000), append(half.on[e], percentile(times, 50)/1000)
			single.on[e] = append(single.on[e], percentile(probeUnder(m.addr, "-ask"), 99)/1000)
			m.stop()
		}
	}
	return []row{piped, half, single}
}

// probeUnder requests /healthz on new connections while another process, so that this one is not
// busy, generates the load that the flag names. It returns the latencies, sorted.
func probeUnder(addr, flag string) (times []time.Duration) {
	self, err := os.Executable()
	if err != nil {
		log.Fatal(err)
	}
	cmd := exec.Command(self, flag, addr)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	time.Sleep(time.Second)
	for end := time.Now().Add(floodTime); time.Now().Before(end); time.Sleep(probeEvery) {
		times = append(times, probe(addr))
	}
	slices.Sort(times)
	return times
}

// probe returns how long a health check on a new connection took.
func probe(addr string) time.Duration {
	began := time.Now()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(began.Add(5 * time.Second))
	if _, err := fmt.Fprintf(c, "GET /healthz HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", addr); err != nil {
		log.Fatal(err)
	}
	if b, err := io.ReadAll(c); err != nil || !bytes.HasPrefix(b, statusOK) {
		log.Fatalf("healthz: %q %v", b, err)
	}
	return time.Since(began)
}

// flood runs clients that send calls and read answers as fast as possible, without waiting for the
// answer before the next call. A client that is disconnected reconnects.
func flood(addr string) {
	calls := bytes.Repeat(requestOf(addr, "add"), 180)
	for range floodClients {
		go func() {
			for {
				c, err := net.Dial("tcp", addr)
				if err != nil {
					log.Fatal(err)
				}
				go func() {
					_, _ = io.Copy(io.Discard, c)
					_ = c.Close()
				}()
				for err == nil {
					_, err = c.Write(calls)
				}
				_ = c.Close()
				time.Sleep(time.Millisecond)
			}
		}()
	}
	time.Sleep(floodMost)
}

// ask runs as many clients that wait for each answer.
func ask(addr string) {
	time.AfterFunc(floodMost, func() { os.Exit(0) })
	call(addr, requestOf(addr, "add"), floodClients, 1<<40)
}
