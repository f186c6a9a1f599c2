package certs_test

import (
	"log"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
	"github.com/mooring-mcp/mooring/server/certs"
)

// A server with certificates for two names. The files may change while it runs.
func Example() {
	set, err := certs.Open(certs.Options{Pairs: []certs.Pair{
		{Cert: "/etc/mooring/example.com.pem", Key: "/etc/mooring/example.com.key"},
		{Cert: "/etc/mooring/example.org.pem", Key: "/etc/mooring/example.org.key"},
	}})
	if err != nil {
		log.Fatal(err)
	}
	m := mcp.NewServer(&mcp.Implementation{Name: "hello", Version: "1"}, nil)
	log.Fatal(server.New(m, nil).ListenAndServeTLS(":8443", set.Config()))
}
