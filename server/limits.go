package server

import "github.com/mooring-mcp/mooring/server/internal/wheel"

// tick is the unit of all deadlines. Ticks count from the start of the server.
type tick = wheel.Tick

const tickUnit = wheel.Unit
