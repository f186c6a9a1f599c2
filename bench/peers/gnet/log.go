package main

import "log"

// logger writes gnet's warnings and errors to standard error. gnet's own logger writes to standard
// output, whose first line must say that the server is ready.
type logger struct{}

// Debugf implements [logging.Logger].
func (logger) Debugf(string, ...any) {}

// Infof implements [logging.Logger].
func (logger) Infof(string, ...any) {}

// Warnf implements [logging.Logger].
func (logger) Warnf(format string, args ...any) { log.Printf(format, args...) }

// Errorf implements [logging.Logger].
func (logger) Errorf(format string, args ...any) { log.Printf(format, args...) }

// Fatalf implements [logging.Logger].
func (logger) Fatalf(format string, args ...any) { log.Fatalf(format, args...) }
