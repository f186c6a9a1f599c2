// Command figures measures the server against its floor, in one run on one machine, and prints a
// table: what a call costs, what an idle stream holds, and what a notification costs. With -only
// pressure it measures the server under adverse loads, on both engines, and prints each figure with
// its bound.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 5, "rounds; the median is printed")
	calls := flag.Int("calls", 100_000, "calls of a round")
	conns := flag.Int("conns", 64, "keep-alive connections that call")
	streams := flag.Int("streams", 8000, "idle streams")
	only := flag.String("only", "", "calls, memory, legacy, storm or notices, all of these if empty; or pressure, or one group of it: worker, cpu, idle, unread, onebyte, health or stream; or auth, or one group of it: token, holders, badtokens or expiry")
	flooded := flag.String("flood", "", "run the clients that pipeline calls without end to this `address`, for a minute; figures starts itself this way")
	asked := flag.String("ask", "", "run as many clients that send one call at a time to this `address`")
	engine := flag.String("engine", "", "measure the groups of auth on this engine only: gnet or epoll")
	bad := flag.String("bad", "", "send requests with tokens of this `kind` (valid, none or bad) to -at, until the input ends")
	token := flag.String("token", "", "the valid token for -bad")
	at := flag.String("at", "", "the `address` for -bad")
	prof := flag.String("profile", "", "write a CPU profile of the server under `tool` calls to tool.pprof: add, echo or list")
	flag.Parse()
	switch {
	case *flooded != "":
		flood(*flooded)
		return
	case *bad != "":
		floodTokens(*at, *bad, *token)
		return
	case *asked != "":
		ask(*asked)
		return
	}
	bin, err := build()
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(bin)
	if *prof != "" {
		profileCalls(bin, *prof, *conns, *calls*3)
		return
	}
	fmt.Printf("# Figures\n\n%s, %s, %d cores, %s; %d rounds, %d connections, %d calls, %d streams; `%s`\n\n",
		time.Now().Format(time.DateOnly), cpuModel(), runtime.NumCPU(), runtime.Version(), *rounds, *conns, *calls, *streams, strings.Join(os.Args[1:], " "))
	if isPressure(*only) {
		measurePressure(bin, *only, &options{rounds: *rounds, conns: *conns, calls: *calls, streams: *streams})
		return
	}
	if isAuth(*only) {
		measureAuth(bin, *only, *engine, &options{rounds: *rounds, conns: *conns, calls: *calls, streams: *streams})
		return
	}
	fmt.Println("| figure | floor | Mooring | ratio or difference |\n|---|---|---|---|")
	if *only == "" || *only == "calls" {
		measureCalls(bin, *rounds, *conns, *calls)
	}
	if *only == "" || *only == "memory" {
		measureMemory(bin, *rounds, *streams)
	}
	if *only == "" || *only == "legacy" {
		measureLegacy(bin, *rounds, *conns, *calls, *streams)
	}
	if *only == "" || *only == "storm" {
		measureStorm(bin, *rounds, *streams)
	}
	if *only == "" || *only == "notices" {
		measureNotices(bin, *rounds, *streams)
	}
}

// build compiles the subject and the command mooring, and returns the directory of their binaries.
func build() (string, error) {
	dir, err := os.MkdirTemp("", "figures")
	if err != nil {
		return "", err
	}
	module := ".."
	if _, err := os.Stat("subject"); err == nil {
		module = "."
	}
	for _, args := range [][]string{{"-C", module, "-o", dir + "/subject", "./subject"}, {"-C", module + "/../..", "-o", dir + "/mooring", "./cmd/mooring"}} {
		cmd := exec.Command("go", append([]string{"build"}, args...)...)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return dir, err
		}
	}
	return dir, nil
}

func cpuModel() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if name, ok := strings.CutPrefix(line, "model name\t: "); ok {
			return strings.TrimSpace(name)
		}
	}
	return runtime.GOARCH
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

// pairwise returns the median of a[i]/b[i]: the machine's speed drifts, but little within a round.
func pairwise(a, b []float64) float64 {
	r := make([]float64, len(a))
	for i := range a {
		r[i] = a[i] / b[i]
	}
	return median(r)
}

func spread(v []float64) string {
	return fmt.Sprintf("%.2f (%.2f–%.2f)", median(v), slices.Min(v), slices.Max(v))
}
