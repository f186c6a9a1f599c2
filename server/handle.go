package server

// handle names a connection from outside its loop. The generation distinguishes a connection from
// later ones in the same slot.
type handle struct {
	slot, gen uint32
}
