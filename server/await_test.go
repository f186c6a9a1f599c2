package server_test

import (
	"testing"
	"time"
)

// patience is how long to wait for a condition that should come true at once. It is this long
// only because the machine may be busy.
const patience = 20 * time.Second

// await waits until ok reports true.
func await(t testing.TB, why string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("did not happen within %v: %s", patience, why)
		}
	}
}
