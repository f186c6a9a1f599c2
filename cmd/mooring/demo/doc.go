// Package demo provides the built-in features of the mooring command. There is one of each kind,
// small enough to be understood by calling it.
package demo
