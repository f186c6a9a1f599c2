package bench

import (
	"context"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/mooring-mcp/mooring/bench/load"
)

var slow = Scenario{
	Name:  "slow",
	Title: "What stalled readers do to the others",
	Help: `First streams: of --streams streams that wait for changes, --stalled stop reading. Changes are made
until the kernel accepts no more data for those, for --wait at most; then it is measured when the
others are notified of further changes.
Then large answers: --concurrency clients call a tool that echoes its text (--tool) with
--large-bytes of text and do not read the answer, while a prober makes health checks.
Both are done --rounds times, each time first without and then with stalled clients, on the same
connections; the figures are medians of the rounds. Stalled clients have small windows, as over a
slow network, so that little data fills them.
slowdown_p99          how much later 99 of 100 others are notified of a change with the stalled
                      readers than without: 0 is best, and noise accounts for a few percent
others_p99_without    time within which 99 of 100 others are notified of a change
others_p99_with       the same while there are stalled readers; a client that hears nothing within
                      --wait counts as --wait
filling_p99_without   the same for a change that follows nineteen others in a row
filling_p99_with      the same while the kernel's buffers for the stalled readers fill up, in the
                      slowest round
stalled_queued        bytes that the kernel holds for each stalled reader
stalled_rss           how much the server's resident memory has grown for each stalled reader, since
                      before it stalled
stalled_dropped       percentage of stalled readers whose connection the server has ended, in the
                      last round, in which changes continue for --wait
stalled_dropped_after from when they stalled until all were dropped
large_slowdown_p99    like slowdown_p99, for the health checks while large answers are not read
large_p99_without     time within which 99 of 100 health checks are answered
large_p99_with        the same while large answers are not read
large_bytes           size of the large text: --large-bytes, or as much of it as the server accepts
large_rss             how much the server's resident memory has grown for each answer that is not
                      read
large_dropped         percentage of connections with such an answer that the server has ended
health_p50, _p99, _max
                      latency of the health checks, with and without stalled clients: median, 99 %,
                      longest (the client's own part of health_p99 is how late the prober itself
                      was)
Findings: stalled_reader_stalls_all (the others' p99 is more than three times as long, and 100 ms
longer), streams_ended, health_failed.`,
	Uses:     []string{"streams", "stalled", "rounds", "concurrency", "open-rate", "duration", "wait", "change-tool", "tool", "large-bytes", "health"},
	Defaults: Params{Streams: 1000, Stalled: 1, Rounds: 3, Concurrency: 8, Duration: 2 * time.Second, Wait: 5 * time.Second, LargeBytes: 1 << 20},
	bound: func(p *Params) time.Duration {
		return 5*time.Minute + time.Duration(p.Rounds)*(time.Minute+2*p.Duration+20*p.Wait)
	},
	run: runSlow,
}

// slowly is how stalled clients connect.
var slowly = load.Dial{RecvBuf: 4096, MSS: 536}

func runSlow(ctx context.Context, e *env) error {
	stop := e.watch(200 * time.Millisecond)
	if why := e.canChange(); why != "" {
		e.note("no stream is stalled: %s", why)
	} else if err := e.slowStreams(ctx); err != nil {
		return err
	}
	if why := e.hasTool(e.Tool, "tool"); why != "" {
		e.note("no large answer is requested: %s", why)
	} else if err := e.slowAnswers(ctx); err != nil {
		return err
	}
	stop()
	return nil
}

// A slowdown compares rounds without and with stalled clients.
type slowdown struct {
	without, with       []float64 // the 99th percentile of each round, in milliseconds
	allWithout, allWith *hdrhistogram.Histogram
}

func newSlowdown() *slowdown {
	return &slowdown{allWithout: newHistogram(), allWith: newHistogram()}
}

func (s *slowdown) add(without, with *hdrhistogram.Histogram) {
	s.without, s.with = append(s.without, millis(without, 99)), append(s.with, millis(with, 99))
	s.allWithout.Merge(without)
	s.allWith.Merge(with)
}

// percent returns by how many percent the 99th percentile is higher with stalled clients, or 0 if
// it is not. It is the median of the rounds, each compared with itself, because the machine may be
// busier in one round than in another.
func (s *slowdown) percent() float64 {
	var all []float64
	for i, w := range s.without {
		if w > 0 {
			all = append(all, 100*(s.with[i]/w-1))
		}
	}
	return max(0, median(all))
}

// stalls reports whether the others are held up.
func (s *slowdown) stalls() bool {
	without, with := median(s.without), median(s.with)
	return with > 3*without && with > without+100
}
