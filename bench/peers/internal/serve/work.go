package serve

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Limits of what a call may request.
const (
	maxSleep = time.Minute
	maxLarge = 16 << 20
)

// Sleep is the work of the tool sleep. It returns its text, or why it did not sleep that long.
func Sleep(ctx context.Context, milliseconds int) (string, error) {
	d := time.Duration(milliseconds) * time.Millisecond
	if milliseconds < 0 || d > maxSleep {
		return "", fmt.Errorf("milliseconds must be from 0 to %d", maxSleep.Milliseconds())
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return "slept", nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// Large is the work of the tool large: a text of so many bytes.
func Large(bytes int) (string, error) {
	if bytes < 0 || bytes > maxLarge {
		return "", fmt.Errorf("bytes must be from 0 to %d", maxLarge)
	}
	return strings.Repeat("x", bytes), nil
}
