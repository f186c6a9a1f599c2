// Package load is a client of very many HTTP/1.1 connections, for measuring servers. A few
// goroutines drive all connections, each with an epoll instance of its own. A waiting connection
// holds nothing but its record, so that the client is not the bottleneck that it measures.
//
// A Driver decides what a connection does. Its methods run on the connection's Loop, one at a time;
// so do the methods of Conn, which no other goroutine may call.
//
// Answers are read as RFC 9112 requires, with Content-Length, chunked, or until the end of the
// connection. The events of a text/event-stream are handed on as they arrive. What is not needed is
// not parsed: fields are looked up in the head on demand. What a server can make the client hold is
// limited.
//
// The package needs Linux.
package load
