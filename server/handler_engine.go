//go:build !linux

package server

// handlerEngine is the engine of a handler of net/http whose Options name none.
const handlerEngine = EngineGnet
