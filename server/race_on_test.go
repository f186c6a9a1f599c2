//go:build race

package server

func raceEnabled() bool { return true }
