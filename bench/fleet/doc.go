// Package fleet holds very many event streams of one server, in this process or, because a process
// has a limited number of descriptors, in several. It opens streams in the way of the server's era,
// counts their ends and their events, and closes them all at once.
package fleet
