package gateway

import (
	"os"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/config"
)

// A ConfigFile is what a configuration file says: its servers, in order, the names of those that
// are disabled, and what the gateway ignores in it.
type ConfigFile = config.File

// ConfigErrors are all that is wrong with a configuration file. Each begins with file, line and
// column.
type ConfigErrors = config.Errors

// A ConfigWatcher follows a configuration file: see [WatchConfig].
type ConfigWatcher = config.Watcher

// ReadConfig reads a configuration file, as [LoadConfig] does. If something is wrong in it, the
// error is [ConfigErrors].
func ReadConfig(path string) (*ConfigFile, error) { return config.Load(path, os.LookupEnv) }

// WatchConfig follows the file that f was read from, and calls changed when it has another
// content, from a goroutine of its own. If the file cannot be read or is wrong, changed gets the
// error, once. With an interval of 0 it looks at the file only when its Look is called, which
// reports what it finds even if that is as before. The caller must call Stop.
func WatchConfig(f *ConfigFile, every time.Duration, changed func(*ConfigFile, error)) *ConfigWatcher {
	return config.Watch(f, every, os.LookupEnv, changed)
}

// ServerFromCommand returns the server of a command, whose first element is the program. An empty
// name stands for one that is made of the command.
func ServerFromCommand(name string, argv []string) (Server, error) {
	return config.FromCommand(name, argv)
}

// ServerFromLine returns the server of a command that is written as one line, with quotes as in a
// shell. No shell runs it.
func ServerFromLine(name, line string) (Server, error) { return config.FromLine(name, line) }

// ServerFromNamed returns the server of a name and a command line with an equals sign in between.
func ServerFromNamed(value string) (Server, error) { return config.FromNamed(value) }

// ServerFromURL returns the server of a URL. An empty name stands for one that is made of its host.
// Headers are written as "Name: value", with ${VAR} in the value for an environment variable.
func ServerFromURL(name, url string, headers []string) (Server, error) {
	return config.FromURL(name, url, headers, os.LookupEnv)
}

// JoinNamed returns arguments of a program with --named-server NAME "COMMAND", as other programs
// have it, made into --named-server=NAME=COMMAND, which has one value.
func JoinNamed(args []string) []string { return config.JoinNamed(args) }

// CheckServers returns what servers cannot have in common, such as a name or a path, and nil if
// there is nothing. The servers of one file have passed it.
func CheckServers(servers []Server) error { return config.Check(servers) }

// PrintServers returns servers as a configuration file has them, with "[redacted]" in place of
// secrets.
func PrintServers(servers []Server) []byte { return config.Print(servers) }
