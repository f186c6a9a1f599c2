package server

import (
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
)

// The home of an http.Server that has ended gives its place to another.
func TestHomesAreForgotten(t *testing.T) {
	ms := mcp.NewServer(&mcp.Implementation{Name: "homes", Version: "1"}, nil)
	defer ms.Close()
	s := New(ms, nil)
	defer s.homes.close()
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
	living := new(http.Server)
	defer living.Close()
	first := s.addHome(living, local)
	for i := range 2 * maxHomes {
		hs := new(http.Server)
		h := s.addHome(hs, local)
		if h == nil || s.homes.at(h.index) != h || s.homes.find(hs) != h || s.addHome(hs, local) != h {
			t.Fatalf("http.Server %d has no home", i)
		}
		if err := hs.Close(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-h.back.Done():
		case <-time.After(10 * time.Second):
			t.Fatal("the service does not end")
		}
		if h.back.Leave() {
			t.Fatal("a connection left an http.Server that has ended")
		}
	}
	if s.homes.find(living) != first || len(*s.homes.list.Load()) > 2 {
		t.Errorf("%d homes", len(*s.homes.list.Load()))
	}
}
