//go:build linux && !race

package server_test

// raceDetector reports whether the race detector slows everything down: tests then do not check
// time limits.
const raceDetector = false
