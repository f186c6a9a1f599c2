//go:build linux && race

package server_test

// raceDetector says that the race detector slows everything down: bounds of time are not held then.
const raceDetector = true
