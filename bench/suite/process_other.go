//go:build !unix

package suite

import (
	"context"
	"errors"
)

type process struct{}

var errSystem = errors.New("suite: servers are started and ended on Unix systems only")

func (s *Server) start(context.Context, string) (*process, error) { return nil, errSystem }
func (p *process) stop()                                          {}
func freePort() (string, error)                                   { return "", errSystem }
