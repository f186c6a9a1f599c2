// Package peers holds the list of the servers that Mooring is compared with, peers.json, and the test that each of them
// does the work that the list says. The servers themselves are the commands below this folder; README.md says how each is
// configured and after whose advice.
//
// The list is data, so that whoever starts the servers needs no package of this module: see the types in list.go for what
// its fields mean.
package peers
