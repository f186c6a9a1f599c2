package server

import (
	"time"

	"github.com/mooring-mcp/mooring/server/internal/engine"
	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

// tick is the unit of all deadlines. Ticks count from the start of the server.
type tick = wheel.Tick

const tickUnit = wheel.Unit

// These are limits of what one turn does, so that other connections get their turn.
const (
	sliceLimit  = 256             // connections or items that a turn serves
	slicedLimit = 8               // connections whose kept requests continue in a turn
	turnBytes   = engine.ReadSize // bytes of one connection's requests; the last one may go beyond
	inboxRounds = 4               // how many times a turn serves the inbox
	bigContent  = 16 << 10        // a worker decodes content above this: 16 KiB take some 100 µs
)

// These times and sizes are not options.
const (
	lingerTime  = 2 * time.Second        // time for a peer to read a refusal and close
	lingerBytes = 64 << 10               // bytes that such a peer may still send
	retryTime   = 200 * time.Millisecond // time between two checks of a peer that reads nothing
	retryTold   = 2 * time.Second        // the same, if the engine reports when a peer has read all

	beyondTime = time.Second            // for the head of a connection beyond the descriptor limit
	stopGrace  = 500 * time.Millisecond // for responses of calls cancelled at the end of the drain

	frameRoom = 96       // the most bytes that an event adds to its message
	keepOut   = 64 << 10 // capacity up to which scratch buffers are kept from turn to turn
)

// writeBufferSize is the approximate size to which gnet's first buffer for unsent bytes grows.
const writeBufferSize = engine.WriteBufferSize

// messagePath follows Options.SSEPath in the path to which messages are posted.
const messagePath = "/message"
