package server_test

import (
	"fmt"
	"log"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

// This server is created with its own options.
func ExampleNew() {
	features := mcp.NewServer(&mcp.Implementation{Name: "sums", Version: "v1.0.0"}, nil)
	mcp.AddInlineTool(features, &mcp.Tool{Name: "add", Description: "Sum of two integers."}, add)
	s := server.New(features, &server.Options{
		AllowedOrigins: []string{"https://app.example.com"},
		MaxConnections: 50_000,
		CallTimeout:    30 * time.Second,
	})
	log.Fatal(s.ListenAndServe("127.0.0.1:8080"))
}

// Validate finds values that could never take effect. New would panic on them.
func ExampleOptions_Validate() {
	opts := server.Options{AllowedOrigins: []string{"https://app.example.com/login"}}
	fmt.Println(opts.Validate())
	opts.AllowedOrigins = []string{"https://app.example.com"}
	fmt.Println(opts.Validate())
	// Output:
	// server: Options.AllowedOrigins: "https://app.example.com/login" has more than scheme, host and port: browsers send no path, query or user
	// <nil>
}
