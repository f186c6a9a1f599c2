// Command mooring is an MCP server for very many connections.
//
//	mooring serve                     serve the built-in features on http://127.0.0.1:8080/mcp
//	mooring print-config claude-code  print the configuration of a client
//	mooring healthcheck               check the server's health, which the exit code reports
//	mooring version                   print the version
//
// Each setting of serve is taken from the first of these that has it: its flag, the environment,
// the file of --config, its default. The environment variable is MOORING_ and the flag's name in
// capitals, with _ for each -. The file is YAML, and its keys are the names of the flags:
//
//	listen: [127.0.0.1:8080, "unix:/run/mooring.sock"]
//	heartbeat: 30s
//	log-format: json
//
// If NOTIFY_SOCKET is set, as under systemd with Type=notify, serve reports when it is ready and
// when it begins to drain.
package main
