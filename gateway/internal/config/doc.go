// Package config reads which upstream servers the gateway has: from the files of MCP clients, as
// they are pasted from elsewhere, and from the command line.
//
// Two forms of files are read, with comments and trailing commas: {"mcpServers": {…}}, which
// Claude, Cursor, Windsurf and the documentation of most servers have, and {"servers": {…},
// "inputs": […]} of VS Code. ${VAR} and ${VAR:-default} stand for environment variables in the
// values. What is of the gateway alone is in one member of a server, "x-mooring", in which an
// unknown member is an error. Other unknown members are ignored with a warning.
//
// A Server is plain data. Diff says which servers a new file changes, and Watch when there is one.
// Values of headers and of the environment are in no error, no warning and no String: to see one,
// convert the Secret to a string.
package config
