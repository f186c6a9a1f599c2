package mcp

import (
	"testing"

	"go.uber.org/goleak"
)

// A closed server leaves no goroutine.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
