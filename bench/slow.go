package bench

import (
	"context"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/mooring-mcp/mooring/bench/load"
)

var slow = Scenario{
	Name:  "slow",
	Title: "What readers that stall do to the others",
	Help: `First on streams: of --streams that wait for changes, --stalled stop reading. Changes are made until the kernel holds no more for those, for --wait
at most, and then it is measured when the others hear of some more.
Then on large answers: as many clients as --concurrency ask a tool that gives back its text (--tool) for --large-bytes of it and do not read, while others ask for a sign of life.
Both are done --rounds times, each time first without and then with clients that stall, on the same connections; what counts is the median of the rounds. Those that stall have small windows, as over a
slow network, so that little is needed to fill them.

slowdown_p99          by how much later 99 of 100 others hear of a change, with the stalled than without: 0 is best, and noise makes some per cent
others_p99_without    within which 99 of 100 others hear of a change
others_p99_with       the same while there are stalled readers; who does not hear of it within --wait counts with that
filling_p99_without   the same of changes that are made when nineteen others have been made in a row
filling_p99_with      of those while the kernel's buffers for the stalled readers fill, the slowest round
stalled_queued        bytes that the kernel holds for each stalled reader
stalled_rss           by how much the server's resident memory has grown for each stalled reader, from before it stalled
stalled_dropped       stalled readers whose connection the server has ended, of 100, in the last round, in which changes go on for --wait
stalled_dropped_after from when they stalled until all were
large_slowdown_p99    as slowdown_p99, of the signs of life while large answers are not read
large_p99_without     within which 99 of 100 signs of life came
large_p99_with        the same while large answers are not read
large_bytes           the size of the large text: --large-bytes, or what the server takes of it
large_rss             by how much the server's resident memory has grown for each answer that is not read
large_dropped         connections with such an answer that the server has ended, of 100
health_…              the signs of life, of both kinds together (the client's own part of health_p99: by how much it was itself late with asking)

Faults: stalled_reader_stalls_all (the others' p99 is more than three times as long, and 100 ms longer), streams_ended, health_failed`,
	Uses:     []string{"streams", "stalled", "rounds", "concurrency", "open-rate", "duration", "wait", "change-tool", "tool", "large-bytes", "health"},
	Defaults: Params{Streams: 1000, Stalled: 1, Rounds: 3, Concurrency: 8, Duration: 2 * time.Second, Wait: 5 * time.Second, LargeBytes: 1 << 20},
	bound: func(p *Params) time.Duration {
		return 5*time.Minute + time.Duration(p.Rounds)*(time.Minute+2*p.Duration+20*p.Wait)
	},
	run: runSlow,
}

// slowly is how clients that stall connect.
var slowly = load.Dial{RecvBuf: 4096, MSS: 536}

func runSlow(ctx context.Context, e *env) error {
	stop := e.watch(200 * time.Millisecond)
	if why := e.canChange(); why != "" {
		e.note("no stream has stalled: %s", why)
	} else if err := e.slowStreams(ctx); err != nil {
		return err
	}
	if why := e.hasTool(e.Tool, "tool"); why != "" {
		e.note("no large answer was asked for: %s", why)
	} else if err := e.slowAnswers(ctx); err != nil {
		return err
	}
	stop()
	return nil
}

// A slowdown is of rounds without and with clients that stall.
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

// percent returns by how many per cent the 99th percentile is higher with clients that stall, 0 if it is not: the median of the rounds, each compared with itself, for the machine may be busier in one than in another.
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
