// Package peers has the list of the servers that Mooring is compared with, peers.json, and the test
// that each of them does the work that the list says. The servers are the commands below this
// directory; README.md says how each is configured and on whose advice.
//
// The list is data, so that a program that starts the servers needs no package of this module. The
// types in list.go document its fields.
package peers
