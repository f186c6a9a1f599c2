package gnetengine

import (
	"testing"

	"github.com/mooring-mcp/mooring/server/internal/engine"
	"github.com/mooring-mcp/mooring/server/internal/engine/enginetest"
)

func TestAdopt(t *testing.T) {
	enginetest.Adopt(t, func(adm *engine.Admission) (engine.Engine, error) { return New(adm), nil })
}
