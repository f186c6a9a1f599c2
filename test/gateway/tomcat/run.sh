#!/usr/bin/env bash
# Starts an MCP server on a real Tomcat that keeps what its clients abandon: run.sh PORT. It needs
# Debian's packages tomcat10 and default-jdk-headless. It listens on 127.0.0.1 and ends with the shell,
# which it replaces. gateway/seed_linux_test.go says what it is for.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=$(mktemp -d)
jars=$(printf '%s:' /usr/share/tomcat10/lib/*.jar /usr/share/tomcat10/bin/tomcat-juli.jar)
javac -nowarn -cp "$jars" -d "$dir" "$here/LeakyMcp.java"
exec java -Xmx512m -cp "$dir:$jars" LeakyMcp "$1" "$dir"
