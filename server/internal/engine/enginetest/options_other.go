//go:build !linux

package enginetest

import "github.com/mooring-mcp/mooring/server/internal/engine"

func (r *rig) wantOptions(engine.Socket, string) {}
