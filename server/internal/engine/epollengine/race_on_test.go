//go:build race

package epollengine

const raceEnabled = true
