//go:build !race

package epollengine

const raceEnabled = false
