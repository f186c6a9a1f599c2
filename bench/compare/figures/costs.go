package main

import "strconv"

// measureCPU compares the processor time of calls with that of the bare gnet server.
func measureCPU(bin string, o *options) []row {
	var rows []row
	for _, of := range []struct {
		tool, name, what string
		bound            float64
	}{
		{"add", "inline_cpu_ratio", "server CPU of `add` (inline) against bare gnet", 1.25},
		{"echo", "worker_cpu_ratio", "server CPU of `echo` (worker) against bare gnet", 1.5},
	} {
		ratio := row{name: of.name, what: of.what + ", 64 connections, closed loop, same run", bound: [2]float64{of.bound, of.bound}}
		cpu := row{name: of.name[:len(of.name)-len("_ratio")] + "_s", what: "the same in seconds for 100,000 calls", bound: [2]float64{noBound, noBound}}
		m := [len(engines)]*process{}
		for e, engine := range engines {
			m[e] = start(bin, "-kind=mooring", "-engine="+engine)
		}
		f := start(bin, "-kind=gnet", "-answer="+strconv.Itoa(answerLength(m[0].addr, of.tool)))
		call(f.addr, requestOf(f.addr, of.tool), o.conns, o.calls/4)
		for e := range engines {
			call(m[e].addr, requestOf(m[e].addr, of.tool), o.conns, o.calls/4)
		}
		for range o.rounds {
			floor := cost(f, requestOf(f.addr, of.tool), o.conns, o.calls)
			cpu.floor = append(cpu.floor, floor)
			for e := range engines {
				c := cost(m[e], requestOf(m[e].addr, of.tool), o.conns, o.calls)
				cpu.on[e], ratio.on[e] = append(cpu.on[e], c), append(ratio.on[e], c/floor)
			}
		}
		f.stop()
		for e := range engines {
			m[e].stop()
		}
		rows = append(rows, ratio, cpu)
	}
	return rows
}

// measureStream measures the memory of an idle listen stream.
func measureStream(bin string, o *options) []row {
	r := row{name: "stream_rss", what: "resident bytes for each of " + strconv.Itoa(o.streams) + " idle listen streams", bound: [2]float64{800, 119}}
	for range o.rounds {
		f := start(bin, "-kind=enrolled")
		rss, _ := perConn(f, o.streams, func(int) []byte { return []byte("POST") }, "\r\n\r\n")
		f.stop()
		r.floor = append(r.floor, rss)
		for e, engine := range engines {
			m := start(bin, "-kind=mooring", "-engine="+engine)
			rss, _ := perConn(m, o.streams, listen(m.addr), acknowledged)
			m.stop()
			r.on[e] = append(r.on[e], rss)
		}
	}
	return []row{r}
}

// What measureOneByte does: it requests so many answers, and opens so few connections that what
// earlier ones held does not fill the memory.
const (
	largeAnswers = 42_000
	largeBytes   = 200 << 10
	oneByteConns = 2000
)

// measureOneByte measures what a connection holds that has sent one byte: on a server that has just
// started, and on one that has sent many large answers.
func measureOneByte(bin string, o *options) []row {
	n := min(o.streams, oneByteConns)
	cold := row{name: "onebyte_heap_cold", what: "live heap of a connection that has sent one byte", bound: [2]float64{noBound, 900}}
	after := row{name: "onebyte_heap_after", what: "the same after 42,000 answers of 200 KiB", bound: cold.bound}
	for range o.rounds {
		for e, engine := range engines {
			m := start(bin, "-kind=mooring", "-engine="+engine, "-large="+strconv.Itoa(largeBytes))
			one := func(int) []byte { return []byte("P") }
			_, heap := perConn(m, n, one, "")
			cold.on[e] = append(cold.on[e], heap)
			call(m.addr, requestOf(m.addr, "large"), o.conns, largeAnswers)
			_, heap = perConn(m, n, one, "")
			after.on[e] = append(after.on[e], heap)
			m.stop()
		}
	}
	return []row{cold, after}
}
