//go:build !linux || !epoll

package server

// defaultEngine is what Options.Engine stands for when it is empty. The build tag epoll changes it,
// so that all tests can be run with either.
const defaultEngine = EngineGnet
