package server

import "github.com/mooring-mcp/mooring/server/internal/buffers"

type buffer = buffers.Buffer

func takeBuffer(n int) *buffer { return buffers.Take(n) }

func bufferOf(p []byte) *buffer { return buffers.Of(p) }

// release gives b, which may be nil, back and returns nil.
func release(b *buffer) *buffer { return buffers.Release(b) }
