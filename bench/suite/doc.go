// Package suite measures several servers in turn, so that they can be compared: each is started from a list, measured by the scenarios that say something of it, and ended. Each scenario has a
// process of its own, so that nothing that one leaves behind is put down to the next.
package suite
