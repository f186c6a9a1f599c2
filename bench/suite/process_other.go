//go:build !unix

package suite

import (
	"context"
	"errors"
)

type process struct{}

var errSystem = errors.New("suite: servers can be started and ended only on Unix systems")

func (s *Server) start(context.Context, string) (*process, error) { return nil, errSystem }
func (p *process) stop()                                          {}
func freePort() (string, error)                                   { return "", errSystem }
