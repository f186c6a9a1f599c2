// Package fleet holds event streams of one server, very many of them, in this process or in several: a process has only so many descriptors. Streams are opened as the server's era wants them,
// counted as they end and as events come, and closed all at once.
package fleet
