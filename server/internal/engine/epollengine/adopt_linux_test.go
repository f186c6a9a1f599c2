package epollengine

import (
	"testing"

	"github.com/mooring-mcp/mooring/server/internal/engine/enginetest"
)

func TestAdopt(t *testing.T) { enginetest.Adopt(t, New) }

func BenchmarkMove(b *testing.B) { enginetest.Move(b, New) }
