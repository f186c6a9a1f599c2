// Package suite measures several servers in turn, so that they can be compared: it starts each
// server of a list, measures it with the scenarios that apply to it, and ends it. Each scenario
// gets a process of its own, so that nothing that one leaves behind affects the next.
package suite
