package server

import (
	"time"

	"github.com/mooring-mcp/mooring/server/internal/engine"
	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

// tick is the unit of all deadlines. Ticks count from the start of the server.
type tick = wheel.Tick

const tickUnit = wheel.Unit

// Limits of a turn, so that other connections get theirs.
const (
	sliceLimit  = 256             // connections or items that a turn serves
	slicedLimit = 8               // connections whose kept requests go on in a turn
	turnBytes   = engine.ReadSize // bytes of requests of one connection, or a request more
	inboxRounds = 4               // times that a turn serves the inbox
	bigContent  = 16 << 10        // content above this is decoded by a worker: 16 KiB take some 100 µs
)

// Times and sizes that are not options.
const (
	lingerTime  = 2 * time.Second        // for a peer to read a refusal and close
	lingerBytes = 64 << 10               // that such a peer may still send
	retryTime   = 200 * time.Millisecond // between two looks at a peer that reads nothing
	retryTold   = 2 * time.Second        // the same where the engine reports that a peer has read all

	stopGrace = 500 * time.Millisecond // for responses of calls that the end of the drain cancelled

	frameRoom = 96       // bytes that an event adds to its message at most
	keepOut   = 64 << 10 // scratch up to this capacity is kept from turn to turn
)

// writeBufferSize is about how large gnet's first buffer becomes for what a peer does not take.
const writeBufferSize = engine.WriteBufferSize
