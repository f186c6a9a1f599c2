package result_test

import (
	"fmt"
	"os"

	"github.com/mooring-mcp/mooring/bench/result"
)

func Example() {
	ours, err := result.ReadFile("testdata/anchor.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	theirs, err := result.ReadFile("testdata/chain.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	leaks, err := result.Parse("churn.close_wait_final>0")
	if err != nil {
		fmt.Println(err)
		return
	}
	breaches, err := result.Thresholds{leaks}.Check(theirs)
	fmt.Println(breaches, err)
	ours.Scenarios, theirs.Scenarios = ours.Scenarios[:1], theirs.Scenarios[:1]
	_, err = result.Thresholds{leaks}.Check(ours)
	fmt.Println(err)
	_ = result.Compare([]*result.Run{ours, theirs}).WriteText(os.Stdout)
	// Output:
	// [churn.close_wait_final is 212 (churn.close_wait_final>0)] <nil>
	// result: threshold churn.close_wait_final>0: the run has no scenario churn, only idle
	// idle: Idle streams: what one costs
	//   with connections 8000, hold 30s
	//                                          sample: Anchor       sample: Chain
	//   Resident memory per stream                      680 B *      56 KB (82 ×)
	//   – the client's own                              212 B               212 B
	//   of that, live heap                              544 B *    27.1 KB (50 ×)
	//   Kernel memory per stream, both ends           8.06 KB       8.06 KB (1 ×)
	//   Streams opened per second                     9,800/s *  4,200/s (0.43 ×)
	//   Processor while idle, with heartbeats           0.3 % *     1.4 % (4.7 ×)
	//   – the client's own                              0.6 %               0.6 %
}
