package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// What measureBadTokens does: bad requests a second, on how many connections and for how long, and
// valid calls a second meanwhile, on how many.
const (
	badRate, badConns   = 20_000, 64
	badTime             = 20 * time.Second
	validRate, validNum = 500, 4
)

// measureBadTokens compares how long calls take on `mooring serve` while others bring bad tokens,
// all of them different, with a server that has nothing else to do, and with one that serves as
// many valid calls, or refuses as many requests without a token.
func measureBadTokens(bin, engine string, o *options) []authRow {
	quiet := authRow{name: "bad_p99", what: fmt.Sprintf("p99 of `add` in µs, %d a second, while others bring %d bad tokens a second, against none", validRate, badRate), what2: ratio, unit: "×", bound: 1.5}
	valid := authRow{name: "bad_valid_p99", what: "the same, against as many valid calls of others", what2: ratio, unit: "×", bound: noBound}
	none := authRow{name: "bad_none_p99", what: "the same, against as many requests without a token", what2: ratio, unit: "×", bound: noBound}
	half := authRow{name: "bad_p50", what: "p50, against none", what2: ratio, unit: "×", bound: noBound}
	rate := authRow{name: "bad_rate", what: "requests a second that were reached: valid, bad", what2: ratio, unit: "×", bound: noBound}
	cpu := authRow{name: "bad_cpu", what: "server CPU µs for each request of the others: valid, bad", what2: ratio, unit: "×", bound: noBound}
	dir, err := os.MkdirTemp(bin, "tokens")
	if err != nil {
		log.Fatal(err)
	}
	file := filepath.Join(dir, "tokens")
	good := tokenOf("ann", time.Now().Add(time.Hour))
	if err := os.WriteFile(file, fmt.Appendf(nil, "ann sha256:%x mcp\n", sha256.Sum256([]byte(good))), 0o600); err != nil {
		log.Fatal(err)
	}
	m := serve(bin, engine, "--auth-tokens-file", file)
	defer m.stop()
	req := withToken(requestOf(m.addr, "add"), good)
	callEach(m.addr, [][]byte{req, req}, 20_000)
	type figure struct{ p99, p50, rate, cpu float64 }
	under := func(kind string) (f figure) {
		before := cpuOf(m.pid())
		stop := func() int { return 0 }
		if kind != "" {
			stop = flooding(m.addr, kind, good)
			time.Sleep(time.Second)
		}
		times := latencies(m.addr, req, badTime)
		n := stop()
		f.p99, f.p50, f.rate = percentile(times, 99), percentile(times, 50), float64(n)/(badTime+time.Second).Seconds()
		f.cpu = (cpuOf(m.pid()) - before) * 1e6 / float64(max(n, 1))
		return f
	}
	for range o.rounds {
		q, v, n, b := under(""), under("valid"), under("none"), under("bad")
		quiet.without, quiet.with = append(quiet.without, q.p99), append(quiet.with, b.p99)
		valid.without, valid.with = append(valid.without, v.p99), append(valid.with, b.p99)
		none.without, none.with = append(none.without, n.p99), append(none.with, b.p99)
		half.without, half.with = append(half.without, q.p50), append(half.with, b.p50)
		rate.without, rate.with = append(rate.without, v.rate), append(rate.with, b.rate)
		cpu.without, cpu.with = append(cpu.without, v.cpu), append(cpu.with, b.cpu)
	}
	return []authRow{quiet, valid, none, half, rate, cpu}
}

// cpuOf returns the seconds of processor time that a process has used.
func cpuOf(pid int) float64 {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		log.Fatal(err)
	}
	var sum int64
	for _, name := range tasks {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // the thread has ended
		}
		var on int64
		_, _ = fmt.Sscan(string(b), &on)
		sum += on
	}
	return float64(sum) / 1e9
}

// latencies sends a call validRate times a second, on a few connections, and returns how long each
// took from send to answer, sorted.
func latencies(addr string, req []byte, length time.Duration) []time.Duration {
	var mu sync.Mutex
	var all []time.Duration
	var wg sync.WaitGroup
	for i := range validNum {
		wg.Go(func() {
			c := dial(addr)
			defer c.Close()
			buf := make([]byte, 64<<10)
			var times []time.Duration
			each := time.Second * validNum / validRate
			begin := time.Now().Add(each * time.Duration(i) / validNum)
			for due := begin; due.Before(begin.Add(length)); due = due.Add(each) {
				time.Sleep(time.Until(due))
				sent := time.Now()
				if _, err := c.Write(req); err != nil {
					log.Fatal(err)
				}
				readResponse(c, buf)
				times = append(times, time.Since(sent))
			}
			mu.Lock()
			all = append(all, times...)
			mu.Unlock()
		})
	}
	wg.Wait()
	slices.Sort(all)
	return all
}

// flooding starts another process that sends badRate requests a second of a kind. What it returns
// ends that, and returns how many requests got an answer.
func flooding(addr, kind, good string) (stop func() int) {
	self, err := os.Executable()
	if err != nil {
		log.Fatal(err)
	}
	cmd := exec.Command(self, "-bad", kind, "-token", good, "-at", addr)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		log.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		log.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	return func() int {
		_ = in.Close()
		b, _ := io.ReadAll(out)
		_ = cmd.Wait()
		n, err := strconv.Atoi(string(bytes.TrimSpace(b)))
		if err != nil {
			log.Fatalf("the flood said %q", b)
		}
		return n
	}
}

// floodTokens sends badRate requests a second until its input ends, and prints how many were
// answered. The kinds are valid, none (without a token), and bad: a token of the usual length that
// nobody has sent before.
func floodTokens(addr, kind, good string) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	want := []byte("HTTP/1.1 401 ")
	req := requestOf(addr, "add")
	if kind != "none" {
		req = withToken(req, good)
	}
	if kind == "valid" {
		want = statusOK
	}
	var n atomic.Int64
	var wg sync.WaitGroup
	for i := range badConns {
		wg.Go(func() {
			c := dial(addr)
			defer c.Close()
			mine := bytes.Clone(req)
			at := bytes.Index(mine, []byte("Bearer ")) + len("Bearer ")
			each := time.Second * badConns / badRate
			begin := time.Now()
			for k := 0; ctx.Err() == nil; k++ {
				if late := time.Until(begin.Add(time.Duration(k) * each)); late > time.Millisecond {
					time.Sleep(late)
				}
				if kind == "bad" {
					copy(mine[at:], fmt.Sprintf("bad%03d.%09d", i, k))
				}
				if !exchange(c, mine, want) {
					return
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	fmt.Println(n.Load())
}

// exchange sends a request whose answer fits one read and reports whether it begins with want.
func exchange(c net.Conn, req, want []byte) bool {
	if _, err := c.Write(req); err != nil {
		log.Print(err)
		return false
	}
	var buf [8 << 10]byte
	n, err := c.Read(buf[:])
	if err != nil || !bytes.HasPrefix(buf[:n], want) {
		log.Printf("the answer is %q, %v", buf[:n], err)
		return false
	}
	return true
}
