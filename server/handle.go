package server

// handle names a connection from outside its loop. The generation tells a connection from a later one in the same slot.
type handle struct {
	slot, gen uint32
}
