// Package gateway puts MCP servers of any kind behind one server: commands on stdio, Streamable
// HTTP of every revision, and HTTP+SSE of 2024-11-05. Clients find their features on mcp.Servers
// that a host serves with package server:
//
//	g, err := gateway.New(&gateway.Options{Servers: servers})
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer g.Shutdown(context.Background())
//	s := server.New(g.Server(), nil)
//	for _, e := range g.Endpoints() {
//		s.Handle(e.Path, e.Server)
//	}
//	log.Fatal(s.ListenAndServe("127.0.0.1:8080"))
//
// [Gateway.Server] has the features of all servers, with names such as files__read, and
// [Gateway.Endpoints] has each server alone, with its own names.
//
// The gateway is an MCP server for its clients and an MCP client for the servers behind it, the
// upstreams. It answers what it can itself: lists come from memory, also while an upstream is down,
// and however many clients listen, an upstream tells of a change once. Calls are passed on as
// bytes, in whatever revision the upstream speaks; no goroutine waits for their answers. Tokens of
// clients never go up.
package gateway
