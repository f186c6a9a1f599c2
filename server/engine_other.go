//go:build !linux

package server

import "errors"

func epollOf(*Server) (engine, error) { return nil, errors.New("epoll is Linux's alone") }
