// Package demo is the built-in set of features of the mooring command: one of each
// kind, small enough to be understood by calling it.
package demo
