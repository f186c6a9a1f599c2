//go:build epoll

package server

const defaultEngine = EngineEpoll
