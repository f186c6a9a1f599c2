package main

import (
	"os"
	"runtime/pprof"
)

var profiling *os.File

// profile starts a CPU profile into file, or ends the current one if file is empty.
func profile(file string) error {
	if file == "" {
		pprof.StopCPUProfile()
		return profiling.Close()
	}
	var err error
	if profiling, err = os.Create(file); err != nil {
		return err
	}
	return pprof.StartCPUProfile(profiling)
}
