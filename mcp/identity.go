package mcp

import (
	"errors"
	"runtime/debug"
)

// An identity is how a Server introduces itself. It is not changed.
type identity struct {
	impl  Implementation
	heads [revisionCount]resultHead
	infos [revisionCount][]byte // impl as JSON
}

// SetImplementation makes s identify itself as impl from now on, as [NewServer] does. It returns
// an error, and changes nothing, if impl is nil or cannot be encoded. Lists that have been encoded
// keep the identity that they were encoded with until a feature changes.
func (s *Server) SetImplementation(impl *Implementation) error {
	if impl == nil {
		return errors.New("mcp: the Implementation is nil")
	}
	id := &identity{impl: *impl}
	id.impl.fill(debug.ReadBuildInfo())
	for i := range revisions {
		rev := &revisions[i]
		info, err := marshal(rev.wire.implementation(&id.impl))
		if err != nil {
			return err
		}
		id.infos[i], id.heads[i] = info, newResultHead(rev, info)
	}
	s.identity.Store(id)
	return nil
}
