// Command stdio measures how many tools/call a second servers answer over their standard input and
// output. It starts each command in turn, several times, and sends to it what a client with the
// given number of calls in flight would, at 2025-06-18.
//
//	stdio -calls 50000 -in-flight 1,16,64 "mooring serve --stdio" "gosdk -mode stdio"
package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	calls := flag.Int("calls", 50000, "calls of a measurement")
	rounds := flag.Int("rounds", 3, "measurements of each server, of which the median counts")
	depths := flag.String("in-flight", "1,16,64", "calls in flight")
	tool := flag.String("tool", "echo", "tool to call, with the argument text")
	flag.Parse()
	for _, d := range strings.Split(*depths, ",") {
		depth, err := strconv.Atoi(d)
		if err != nil || depth < 1 {
			log.Fatalf("in-flight: %q", d)
		}
		for _, command := range flag.Args() {
			var rates []float64
			for range *rounds {
				rate, err := measure(strings.Fields(command), *tool, *calls, depth)
				if err != nil {
					log.Fatalf("%s: %v", command, err)
				}
				rates = append(rates, rate)
			}
			slices.Sort(rates)
			fmt.Printf("%3d in flight\t%8.0f calls/s\t%s\n", depth, rates[len(rates)/2], command)
		}
	}
}

// measure returns the calls that a server answers in a second.
func measure(command []string, tool string, calls, depth int) (float64, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer cmd.Wait()
	defer in.Close()
	lines := bufio.NewReaderSize(out, 256<<10)
	const open = `{"jsonrpc":"2.0","id":"open","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"stdio","version":"1"}}}` + "\n" +
		`{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n"
	if _, err := io.WriteString(in, open); err != nil {
		return 0, err
	}
	if _, err := lines.ReadSlice('\n'); err != nil {
		return 0, err
	}
	start := time.Now()
	w := bufio.NewWriterSize(in, 256<<10)
	sent, got := 0, 0
	for got < calls {
		for sent < calls && sent-got < depth {
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":{"text":"ahoy"}}}`+"\n", sent, tool)
			sent++
		}
		if err := w.Flush(); err != nil {
			return 0, err
		}
		for {
			line, err := lines.ReadSlice('\n')
			if err != nil {
				return 0, err
			}
			if !bytes.Contains(line, []byte(`"result"`)) || !bytes.Contains(line, []byte(`ahoy`)) {
				return 0, fmt.Errorf("got %s", line)
			}
			if got++; lines.Buffered() == 0 {
				break
			}
		}
	}
	return float64(calls) / time.Since(start).Seconds(), nil
}
