//go:build !linux

package epollengine

import (
	"errors"

	"github.com/mooring-mcp/mooring/server/internal/engine"
)

// New returns an error.
func New(*engine.Admission) (engine.Engine, error) {
	return nil, errors.New("epoll is available on Linux only")
}
