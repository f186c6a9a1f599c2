// Command mooring serves MCP to very many connections.
//
//	mooring serve                     the built-in features on http://127.0.0.1:8080/mcp
//	mooring print-config claude-code  what a client needs to find it
//	mooring healthcheck               whether that server is healthy, as the exit code
//	mooring version
//
// A setting of serve comes from its flag, else from the environment (MOORING_ and
// the flag's name in capitals, - as _), else from the file of --config, else it has
// its default. The file is YAML, its keys are the names of the flags:
//
//	listen: [127.0.0.1:8080, "unix:/run/mooring.sock"]
//	heartbeat: 30s
//	log-format: json
//
// Where the environment has NOTIFY_SOCKET, as under systemd with Type=notify, serve reports when it
// is ready and when it begins to drain.
package main
