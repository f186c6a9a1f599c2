package config

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/mooring-mcp/mooring/gateway/internal/names"
)

// FromCommand returns the server of a command, whose first element is the program. An empty name
// stands for one that is made of the command.
func FromCommand(name string, argv []string) (Server, error) {
	if len(argv) == 0 || argv[0] == "" {
		return Server{}, errors.New("the command is empty")
	}
	for _, arg := range argv {
		if strings.IndexByte(arg, 0) >= 0 {
			return Server{}, errors.New("the command contains a NUL")
		}
	}
	if name == "" {
		name = commandName(argv)
	}
	s := Server{Name: name, Transport: Stdio, Command: argv[0], Settings: Settings{Queue: -1}}
	if len(argv) > 1 {
		s.Args = append(s.Args, argv[1:]...)
	}
	return s.complete()
}

// FromLine returns the server of a command that is written as one line, such as the value of
// --stdio. The line is split as Split does it.
func FromLine(name, line string) (Server, error) {
	argv, err := Split(line)
	if err != nil {
		return Server{}, err
	}
	return FromCommand(name, argv)
}

// FromNamed returns the server of a value of --named-server: NAME=command line.
func FromNamed(value string) (Server, error) {
	name, line, ok := strings.Cut(value, "=")
	if !ok || name == "" {
		return Server{}, errors.New(`want a name and a command line, as in --named-server files "npx -y …"`)
	}
	s, err := FromLine(name, line)
	if err != nil {
		return Server{}, fmt.Errorf("%s: %w", show(name), err)
	}
	return s, nil
}

// JoinNamed returns arguments of a program with --named-server NAME "CMD", as other programs have
// it, made into --named-server=NAME=CMD, which has one value and can be read as any flag. It does
// not look at what follows --.
func JoinNamed(args []string) []string {
	const flag = "--named-server"
	out := make([]string, 0, len(args))
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; {
		case arg == "--":
			return append(out, args[i:]...)
		case arg == flag && i+2 < len(args) && names.CheckServer(args[i+1]) == nil && args[i+2] != "--":
			out = append(out, flag+"="+args[i+1]+"="+args[i+2])
			i += 2
		default:
			out = append(out, arg)
		}
	}
	return out
}

// FromURL returns the server of a URL. An empty name stands for one that is made of its host. The
// headers are as --header has them: "Name: value", with ${VAR} in the value for an environment
// variable, which lookup returns.
func FromURL(name, url string, headers []string, lookup func(string) (string, bool)) (Server, error) {
	if err := checkURL(url); err != nil {
		return Server{}, err
	}
	if name == "" {
		_, host, _ := strings.Cut(url, "://")
		host = host[strings.LastIndexByte(host[:authorityEnd(host)], '@')+1:]
		name = nameFrom(host[:authorityEnd(host)])
	}
	s := Server{Name: name, Transport: HTTP, URL: url, Settings: Settings{Queue: -1}}
	for _, line := range headers {
		h, err := parseHeader(line, lookup)
		if err != nil {
			return Server{}, err
		}
		for _, other := range s.Headers {
			if other.Name == h.Name {
				return Server{}, fmt.Errorf("the header field %s is there twice", h.Name)
			}
		}
		s.Headers = append(s.Headers, h)
	}
	sortHeaders(s.Headers)
	return s.complete()
}

// complete checks the name and fills in the defaults.
func (s *Server) complete() (Server, error) {
	if err := names.CheckServer(s.Name); err != nil {
		return Server{}, fmt.Errorf("%s: %w%s", quote(s.Name), err, suggest(s.Name))
	}
	s.setDefaults()
	return *s, nil
}

// parseHeader reads "Name: value". Errors have the name at most.
func parseHeader(line string, lookup func(string) (string, bool)) (Header, error) {
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		return Header{}, errors.New(`want a header field as "Name: value"`)
	}
	e, err := expand(value, lookup)
	if err != nil {
		return Header{}, fmt.Errorf("the header field %s: %w", show(name), err)
	}
	h, err := newHeader(name, e.text)
	if err != nil {
		return Header{}, fmt.Errorf("the header field %s: %w", show(name), err)
	}
	return h, nil
}

// launchers are programs that run a package, which they are given as the first argument that is not
// an option. Some have a word before it.
var launchers = map[string]string{
	"npx": "", "bunx": "", "uvx": "", "pipx": "run", "pnpm": "dlx", "yarn": "dlx", "bun": "x", "uv": "run", "deno": "run", "go": "run",
	"node": "", "python": "", "python3": "", "java": "",
}

// commandName returns a name for the server of a command: the program, or what a launcher runs.
func commandName(argv []string) string {
	program := strings.TrimSuffix(path.Base(argv[0]), ".exe")
	word, isLauncher := launchers[program]
	if isLauncher {
		for _, arg := range argv[1:] {
			if strings.HasPrefix(arg, "-") || arg == word {
				continue
			}
			base := path.Base(arg)
			if version := strings.LastIndexByte(base, '@'); version > 0 {
				base = base[:version]
			}
			program = base
			break
		}
	}
	for _, ext := range []string{".js", ".mjs", ".py", ".ts", ".jar", ".sh", ".go"} {
		program = strings.TrimSuffix(program, ext)
	}
	return nameFrom(program)
}

// nameFrom returns a name that names.CheckServer accepts.
func nameFrom(s string) string {
	if names.CheckServer(s) == nil {
		return s
	}
	if name := strings.TrimPrefix(suggest(s), ", such as "); name != "" {
		return name
	}
	return "server"
}
