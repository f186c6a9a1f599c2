package server

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
)

// A class is logged once a minute, with how many there were, and not at all when there were none.
func TestRefusalsAreLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log syncBuffer
		ms := mcp.NewServer(&mcp.Implementation{Name: "log", Version: "1"}, nil)
		defer ms.Close()
		s := New(ms, &Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		lines := func(class, count string) int {
			return strings.Count(log.String(), "class="+class+" count="+count+"\n")
		}
		total := func() int { return strings.Count(log.String(), "\n") }

		s.refused(refusedAuthentication)
		synctest.Wait()
		if lines("authentication", "1") != 1 || total() != 1 {
			t.Fatalf("the first is logged at once:\n%s", log.String())
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 1000 {
					s.refused(refusedAuthentication)
				}
			})
		}
		s.refused(refusedScope)
		wg.Wait()
		synctest.Wait()
		if total() != 2 || lines("scope", "1") != 1 {
			t.Fatalf("within the minute:\n%s", log.String())
		}
		time.Sleep(refusalPeriod + time.Second)
		synctest.Wait()
		if total() != 3 || lines("authentication", "8000") != 1 {
			t.Fatalf("after the minute:\n%s", log.String())
		}
		time.Sleep(5 * refusalPeriod)
		synctest.Wait()
		if total() != 3 {
			t.Fatalf("nothing more was refused:\n%s", log.String())
		}
		s.refused(refusedAuthentication)
		synctest.Wait()
		if lines("authentication", "1") != 2 {
			t.Fatalf("after a rest, the first is logged at once:\n%s", log.String())
		}
		if got := s.Stats().Refusals["authentication"]; got != 8002 {
			t.Errorf("%d counted", got)
		}
		s.cancel(errShutdown)
		time.Sleep(2 * refusalPeriod)
	})
}
