// Package load is a client of very many HTTP/1.1 connections, for measuring servers. A few goroutines drive all connections, each over an epoll instance of its own; a connection that waits
// holds its record and nothing else, so that the client is not the bottleneck that it measures.
//
// A Driver decides what a connection does. Its methods run on the connection's Loop, one at a time; so do the methods of Conn, which no other goroutine may call.
//
// Answers are read as RFC 9112 says, Content-Length, chunked and until the end of the connection; the events of a text/event-stream are handed on as they come. What is not needed is not read:
// fields are looked up in the head on demand. What a server may make the client hold is bounded.
//
// It needs Linux.
package load
