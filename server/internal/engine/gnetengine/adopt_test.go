package gnetengine

import (
	"testing"

	"github.com/mooring-mcp/mooring/server/internal/engine"
	"github.com/mooring-mcp/mooring/server/internal/engine/enginetest"
)

func newEngine(adm *engine.Admission) (engine.Engine, error) { return New(adm), nil }

func TestAdopt(t *testing.T) { enginetest.Adopt(t, newEngine) }

func BenchmarkMove(b *testing.B) { enginetest.Move(b, newEngine) }
